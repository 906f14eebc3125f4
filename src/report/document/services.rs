//! The results of the services: a table of all, then each by itself.

use super::{Block, Cell, Tone, Writer, pictures};
use crate::report::{Clocks, ServiceResult, words::ClockNames};

impl Writer<'_> {
    pub(super) fn results(&self) -> Vec<Block> {
        let services = &self.sealed.report.services;
        let labels = &self.words.labels;
        let columns = [
            labels.service,
            labels.from,
            labels.to,
            labels.target,
            labels.predicted,
            labels.real,
            labels.result,
            labels.return_time,
        ];
        let rows = services.iter().map(|service| self.summary(service)).collect();
        let mut blocks = vec![self.table(&columns, rows)];
        blocks.extend(services.iter().flat_map(|service| self.service(service)));
        blocks
    }

    fn summary(&self, service: &ServiceResult) -> Vec<Cell> {
        vec![
            service.name.as_str().into(),
            service.from.join(", ").into(),
            service.to.join(", ").into(),
            self.length_or_none(service.rto.target).into(),
            self.length_or_none(service.rto.predicted).into(),
            self.length_or_none(service.rto.real).into(),
            self.against_target(service),
            self.length_or_none(service.return_time).into(),
        ]
    }

    fn against_target(&self, service: &ServiceResult) -> Cell {
        match (service.rto.real, service.rto.target) {
            (Some(real), Some(target)) if real <= target => Cell::toned(self.says().within, Tone::Good),
            (Some(_), Some(_)) => Cell::toned(self.says().missed, Tone::Bad),
            (Some(_), None) => "–".into(),
            (None, _) => self.says().not_moved.into(),
        }
    }

    fn service(&self, service: &ServiceResult) -> Vec<Block> {
        let heading = match &service.title {
            Some(title) => format!("{title} ({})", service.name),
            None => service.name.clone(),
        };
        let mut blocks = vec![Block::Heading(heading), Block::Facts(self.service_facts(service))];
        blocks.extend(pictures::times(service, self.words, &self.human).map(Block::Times));
        if service.away.is_some() {
            blocks.push(self.clocks(service));
        }
        blocks.extend(pictures::samples(service, &self.human).map(Block::Samples));
        blocks
    }

    fn service_facts(&self, service: &ServiceResult) -> Vec<(&'static str, Cell)> {
        let labels = &self.words.labels;
        let mut facts = Vec::new();
        facts.extend(service.grade.map(|grade| (labels.grade, grade.to_string().into())));
        let failovers: Vec<_> =
            [&service.away, &service.back].into_iter().flatten().map(|one| one.failover.as_str()).collect();
        if !failovers.is_empty() {
            facts.push((labels.failover, failovers.join(", ").into()));
        }
        let sum = |count: fn(&crate::report::Bucket) -> u32| {
            service.samples.iter().map(|bucket| u64::from(count(bucket))).sum::<u64>()
        };
        let (good, bad) = (sum(|bucket| bucket.good), sum(|bucket| bucket.bad));
        let seen = format!("{} {good}, {} {bad}", labels.good, labels.bad);
        facts.push((labels.samples, Cell::toned(seen, if bad > 0 { Tone::Warn } else { Tone::Plain })));
        let longest = service.samples.iter().filter_map(|bucket| bucket.p95).max();
        facts.extend(longest.map(|p95| (labels.longest_p95, self.human.length(p95).into())));
        facts
    }

    /// Every clock of both moves, with the time since the one before.
    fn clocks(&self, service: &ServiceResult) -> Block {
        let labels = &self.words.labels;
        let [away, back] =
            [&service.away, &service.back].map(|one| one.as_ref().map_or_else(Clocks::default, |m| m.clocks));
        let (away, back) = (named(&away, &self.words.clocks), named(&back, &self.words.clocks));
        let rows = (0..away.len())
            .filter(|&index| away[index].1.is_some() || back[index].1.is_some())
            .map(|index| {
                let [(at, plus), (back_at, back_plus)] =
                    [&away, &back].map(|clocks| self.clock(clocks, index));
                vec![away[index].0.into(), at, plus, back_at, back_plus]
            })
            .collect();
        self.table(&[labels.phase, labels.away, labels.took, labels.back, labels.took], rows)
    }

    fn clock(&self, clocks: &[(&'static str, Option<i64>); 8], index: usize) -> (Cell, Cell) {
        let Some(at) = clocks[index].1 else {
            return ("–".into(), "".into());
        };
        let before = clocks[..index].iter().rev().find_map(|(_, at)| *at);
        let plus = before.map(|before| self.human.length(at.saturating_sub(before)));
        (Cell::whole(self.human.exactly(at)), plus.unwrap_or_default().into())
    }
}

/// Every clock with its name, in order.
pub(super) const fn named(clocks: &Clocks, names: &ClockNames) -> [(&'static str, Option<i64>); 8] {
    [
        (names.fault, clocks.fault),
        (names.detected, clocks.detected),
        (names.decided, clocks.decided),
        (names.fenced, clocks.fenced),
        (names.promoted, clocks.promoted),
        (names.shifted, clocks.shifted),
        (names.verified, clocks.verified),
        (names.settled, clocks.settled),
    ]
}
