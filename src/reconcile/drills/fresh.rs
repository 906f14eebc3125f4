//! How fresh the drills of each service are: in its status, and as metrics.

use std::time::Duration;

use crate::{
    api::PassedDrill,
    domain::{Mode, ServiceKey, Timestamp, is_fresh},
    reconcile::{agent::Agent, catalog::Catalog, parse::Parsed, report::rfc3339},
};

impl Agent {
    /// The last drills of a service that passed, the newest first.
    pub(in crate::reconcile) fn passed_drills(&self, service: &ServiceKey) -> Vec<PassedDrill> {
        let mut passed: Vec<_> = self.mirror.with_passed(|passed| {
            let all = passed.of_service(service);
            all.map(|(region, passed)| (region.clone(), passed.clone())).collect()
        });
        passed.sort_by_key(|(_, passed)| std::cmp::Reverse(passed.at));
        let shown = |(region, passed): &(crate::domain::RegionName, crate::domain::Passed)| PassedDrill {
            away_from: region.to_string(),
            at: rfc3339(passed.at),
            run: passed.run.to_string(),
        };
        passed.iter().map(shown).collect()
    }

    /// Tells Prometheus the age of every drill, and which are overdue.
    pub(in crate::reconcile) fn measure_drills(&self, catalog: &Catalog) {
        let now = self.ports.clock.wall();
        let services = catalog.services.values().filter_map(|entry| entry.parsed.as_ref().ok());
        let (mut automatic, mut covered) = (0_u32, 0_u32);
        for parsed in services {
            let fresh = self.measure_drills_of(parsed, now);
            if parsed.service.failover.mode == Mode::Automatic {
                automatic += 1;
                covered += u32::from(fresh);
            }
        }
        let share = (automatic > 0).then(|| f64::from(covered) / f64::from(automatic));
        self.ports.metrics.set_drill_coverage(share);
        for (namespace, drill) in catalog.snapshot.drills.keys() {
            self.ports.metrics.show_drill(namespace, drill);
        }
    }

    /// Whether its last drill is fresh; without a limit, whether one ever passed.
    fn measure_drills_of(&self, parsed: &Parsed, now: Timestamp) -> bool {
        let (service, metrics) = (&parsed.service, &self.ports.metrics);
        let last = self.mirror.with_passed(|passed| {
            for region in service.members.keys() {
                let age = passed.away_from(&service.key, region).map(|passed| now.since(passed.at));
                metrics.set_drill_age(&service.key, region, age);
            }
            passed.last(&service.key)
        });
        let limit = service.failover.max_drill_age;
        let fresh = is_fresh(last, limit.unwrap_or(Duration::MAX), now);
        metrics.set_drill_overdue(&service.key, limit.map(|_| !fresh));
        fresh
    }
}
