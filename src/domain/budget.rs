//! Limits of unplanned moves (I6).

use std::time::Duration;

/// Limits of one region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BudgetLimits {
    /// Unplanned moves away from the region that may start within `per`.
    pub moves: u32,
    /// The same for one group.
    pub moves_per_group: u32,
    /// Time that is looked back.
    pub per: Duration,
    /// Moves whose traffic is not shifted yet, while the lost region is evacuated.
    pub evacuating: u32,
}

/// How much of the limits is used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BudgetUse {
    /// Unplanned moves away from the region that started within `per`.
    pub moves: u32,
    /// The same for the service's group.
    pub moves_of_group: u32,
    /// Evacuating moves whose traffic is not shifted yet.
    pub evacuating: u32,
}
