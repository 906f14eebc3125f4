//! The Bongsu of the other regions as a gate or a leader asks them for promises: the product's own answers, behind the network.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{call::Errand, network::Site, process::Life, world::World};
use crate::{
    domain::{Identity, PromiseRequest, Promiser, Refusal, RegionName, WithholdRequest},
    ports::{AgentError, Agents, Promising, Seat},
    reconcile::Agent,
};

/// Longest time of one question, as the adapter's.
const LIMIT: Duration = Duration::from_secs(1);

/// Size of a question.
const BYTES: usize = 400;

/// What a region's address looks like; its name follows.
const SCHEME: &str = "https://bongsu.";

/// Where the process of a region is asked.
pub(super) fn url_of(region: &str) -> Arc<str> {
    format!("{SCHEME}{region}.example").into()
}

/// The others as one process sees them.
pub(super) struct SimAgents {
    pub world: Arc<World>,
    pub life: Life,
    pub site: Site,
}

impl SimAgents {
    async fn ask<R: Send + 'static>(
        &self,
        agent: &Promiser,
        answer: impl Fn(&Agent) -> Result<R, Refusal> + Send + Sync + 'static,
    ) -> Result<R, AgentError> {
        let name = agent.url.strip_prefix(SCHEME).and_then(|rest| rest.strip_suffix(".example"));
        let found = {
            let state = self.world.state();
            let mut places = (0_u16..).zip(&state.processes.list);
            places
                .find(|(_, process)| Some(process.name.as_str()) == name)
                .map(|(at, process)| (at, process.site))
        };
        let Some((number, to)) = found else {
            return Err(AgentError::Unanswered(format!("{} is nowhere", agent.url)));
        };
        let errand = Errand {
            life: self.life,
            from: self.site,
            to,
            bytes: BYTES,
            limit: LIMIT,
            late: Duration::ZERO,
            effect: false,
        };
        let answer = self.world.ask(errand, move |world| {
            let now = world.now();
            let process = {
                let state = world.state();
                let works = state.processes.works(number, now);
                state.processes.get(number).filter(|_| works).and_then(|process| process.agent.clone())
            };
            process.map(|process| answer(&process))
        });
        let unanswered = || AgentError::Unanswered(format!("{}: no answer within {LIMIT:?}", agent.url));
        answer.await.ok_or_else(unanswered)?.map_err(AgentError::from)
    }
}

#[async_trait]
impl Agents for SimAgents {
    async fn promise(&self, agent: &Promiser, request: &PromiseRequest) -> Result<(), AgentError> {
        let request = request.clone();
        self.ask(agent, move |process| process.promise(&request)).await
    }

    async fn withhold(&self, agent: &Promiser, request: &WithholdRequest) -> Result<Duration, AgentError> {
        let request = request.clone();
        self.ask(agent, move |process| process.withhold(&request)).await
    }
}

/// A directory of a host, which outlives its processes.
pub(super) struct SimSeat {
    pub world: Arc<World>,
    pub process: u16,
    pub region: RegionName,
}

impl Seat for SimSeat {
    fn name(&self) -> Identity {
        Identity::new(format!("seat-{}", self.region))
    }

    fn longest(&self) -> Duration {
        let state = self.world.state();
        state.processes.get(self.process).map(|process| process.longest_promise).unwrap_or_default()
    }

    fn lengthen(&self, length: Duration) -> Result<(), String> {
        if let Some(process) = self.world.state().processes.get_mut(self.process) {
            process.longest_promise = process.longest_promise.max(length);
        }
        Ok(())
    }
}
