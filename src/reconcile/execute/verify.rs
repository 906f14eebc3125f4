//! The last look at a move: are the new members served as a client would be?

use crate::{
    domain::{MemberHealth, Observation, RegionName, Run, ServiceKey, StepResult, Verdict},
    ports::{ProbeError, Reading},
    reconcile::{agent::Agent, catalog::Catalog, parse::Parsed},
};

impl Agent {
    /// Waits until the last resolver has forgotten the old answer, then asks every new member as a client would.
    pub(super) async fn verify(&self, run: &Run, parsed: &Parsed, catalog: &Catalog) -> StepResult {
        let since =
            run.times.shifted.map(|shifted| self.ports.clock.wall().since(shifted)).unwrap_or_default();
        if since < parsed.service.ttl {
            let left = parsed.service.ttl.saturating_sub(since);
            let text = format!("waits for the TTL of {:?} to run out", parsed.service.ttl);
            return StepResult::NotYet(text, left);
        }
        if let Some(waits) = self.nobody_writes(run, parsed).await {
            return waits;
        }
        let seen = self.observe(parsed, catalog);
        let mut served = 0_u32;
        let mut wrong = Vec::new();
        for region in &run.plan.change.to {
            let (serves, complaints) = match self.can_judge(&seen, region) {
                true => self.sample_member(&parsed.service.key, region).await,
                false => by_the_others(&seen, region),
            };
            served += u32::from(serves);
            // A member that stays and is down already is no fault of this move.
            let joins = run.plan.change.joining().any(|joining| joining == region);
            if joins || seen.health_in(region) != MemberHealth::Down {
                wrong.extend(complaints);
            }
        }
        match (served, wrong.is_empty()) {
            (0, _) | (_, false) => StepResult::Failed(format!("not served well: {}", wrong.join("; "))),
            (1, true) => StepResult::Done("1 member answered every check".to_owned()),
            (members, true) => StepResult::Done(format!("{members} members answered every check")),
        }
    }

    /// Whether this place's own samples of a member say anything: where it is the suspect itself, they do not (I6), nor where it
    /// has not reached the member before the move and the others have.
    fn can_judge(&self, seen: &Observation, region: &RegionName) -> bool {
        let own = &self.settings.region;
        let Some(place) = seen.vantages.iter().position(|vantage| vantage.region == *own) else {
            return false;
        };
        let said = seen.member(region).and_then(|member| member.reports.get(place));
        seen.vantages[place].trusted() && said.is_none_or(|report| report.verdict != Verdict::Failed)
    }

    /// Runs every check of a member now: whether it serves, and what is wrong with the answers.
    async fn sample_member(&self, service: &ServiceKey, region: &RegionName) -> (bool, Vec<String>) {
        let readings = self.vantage.sample_now(service, region).await;
        let wrong = readings.iter().filter_map(|(check, reading)| Some((check, complaint(reading)?)));
        let wrong: Vec<String> =
            wrong.map(|(check, complaint)| format!("{region} {check}: {complaint}")).collect();
        // A member that is not watched any more verifies nothing.
        (wrong.is_empty() && !readings.is_empty(), wrong)
    }
}

/// What the trusted vantages say of a member.
fn by_the_others(seen: &Observation, region: &RegionName) -> (bool, Vec<String>) {
    // As good as the place's own samples would have to be: a sign does not keep a member from serving.
    if seen.member(region).is_some_and(|member| seen.is_steady(member)) {
        return (true, Vec::new());
    }
    let health = seen.health_in(region);
    (false, vec![format!("{region} is {health} to all places together, and this place cannot tell")])
}

/// What is wrong with an answer; `None`: it is good enough for a member that shall serve.
fn complaint(reading: &Result<Reading, ProbeError>) -> Option<String> {
    match reading {
        Ok(reading) if reading.outcome.is_good() => None,
        Ok(reading) => Some(format!("{} {}", reading.outcome.as_str(), reading.detail)),
        Err(error) => Some(error.to_string()),
    }
}
