//! A TCP connection, opened and closed.

use std::time::Duration;

use async_trait::async_trait;

use super::{Means, connect::Target, sample};
use crate::ports::{CheckSpec, Endpoint, Probe, Reading};

/// The `tcp` check of one member.
pub(super) struct TcpProbe {
    target: Target,
    max_latency: Option<Duration>,
}

impl TcpProbe {
    pub(super) fn new(means: &Means, endpoint: &Endpoint, check: &CheckSpec) -> Self {
        Self { target: Target::new(means, endpoint, check), max_latency: check.max_latency }
    }
}

#[async_trait]
impl Probe for TcpProbe {
    async fn run(&self) -> Reading {
        sample(self.target.limit, self.max_latency, |phase| async move {
            self.target.connect(&phase).await.map(drop)
        })
        .await
    }
}
