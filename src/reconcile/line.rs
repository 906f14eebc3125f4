//! Who waits for a place in the evacuation budget of a lost region. A place that becomes free is offered to one of them;
//! to look at all of them again each time would cost a thousand decisions for one move.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::domain::{RegionName, ServiceKey};

/// The line in front of each lost region. What it forgets is found by the next regular pass.
#[derive(Default)]
pub struct Line(Mutex<State>);

#[derive(Default)]
struct State {
    /// By grade, then by key: the most important service moves first.
    waiting: BTreeMap<RegionName, BTreeSet<(u8, ServiceKey)>>,
    offered: BTreeMap<ServiceKey, RegionName>,
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every method leaves the state whole, so it is good even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service waits for a place.
    pub fn join(&self, region: &RegionName, grade: u8, service: &ServiceKey) {
        let mut state = self.state();
        state.offered.remove(service);
        state.waiting.entry(region.clone()).or_default().insert((grade, service.clone()));
    }

    /// A place is free: who shall try to take it.
    pub fn offer(&self, region: &RegionName) -> Option<ServiceKey> {
        let mut state = self.state();
        let (_, service) = state.waiting.get_mut(region)?.pop_first()?;
        state.offered.insert(service.clone(), region.clone());
        Some(service)
    }

    /// The service does not wait any more. The region whose place was offered to it, if one was.
    pub fn leave(&self, grade: u8, service: &ServiceKey) -> Option<RegionName> {
        let mut state = self.state();
        let place = (grade, service.clone());
        state.waiting.values_mut().for_each(|waiting| {
            waiting.remove(&place);
        });
        state.waiting.retain(|_, waiting| !waiting.is_empty());
        state.offered.remove(service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_important_is_offered_a_place_first_and_each_place_once() {
        let (line, region) = (Line::default(), RegionName::new("a"));
        let [low, high] = ["a", "z"].map(|name| ServiceKey::new("n", name));
        line.join(&region, 3, &low);
        line.join(&region, 1, &high);
        assert_eq!(line.offer(&region), Some(high.clone()));
        assert_eq!(line.offer(&region), Some(low.clone()));
        assert_eq!(line.offer(&region), None);
        assert_eq!(line.leave(1, &high), Some(region.clone()));
        line.join(&region, 3, &low);
        assert_eq!(line.leave(3, &low), None, "it waits again, so it holds no offer");
        assert_eq!(line.offer(&region), None);
    }
}
