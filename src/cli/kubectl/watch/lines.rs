//! A line for each moment, for logs and pipes.

use super::{super::words::say, sight::Sight};
use crate::{
    api::{DrillPhase, TimelineEntry},
    cli::print,
    report::Lang,
};

/// What was told already.
#[derive(Default)]
pub(super) struct Lines {
    last: Option<TimelineEntry>,
    waiting: String,
    trouble: Option<String>,
}

impl Lines {
    pub(super) fn tell(&mut self, sight: &Sight, lang: Lang) -> anyhow::Result<()> {
        let status = sight.status();
        if let (None, Some(_)) = (&self.last, status.timeline.first()) {
            let (day, zone) = (sight.day(), sight.zone_name());
            print(&say!(lang, "{day}, times in {zone}\n", "{day}, 시각 기준 {zone}\n"))?;
        }
        // The object shows the last moments only, so what was told is found by its words and not by its number.
        let told =
            self.last.as_ref().and_then(|last| status.timeline.iter().rposition(|entry| entry == last));
        for entry in status.timeline.iter().skip(told.map_or(0, |told| told + 1)) {
            print(&format!("{}  {}\n", sight.of_day(&entry.at), entry.what))?;
        }
        if let Some(last) = status.timeline.last() {
            self.last = Some(last.clone());
        }
        let waits = matches!(status.phase, None | Some(DrillPhase::Announced));
        let message = status.message.unwrap_or_default();
        if waits && message != self.waiting {
            let shown = match message.is_empty() {
                true => say!(lang, "Bongsu has not seen it yet", "Bongsu가 아직 확인하지 않았습니다"),
                false => message.clone(),
            };
            print(&format!("-  {shown}\n"))?;
            self.waiting = message;
        }
        if sight.trouble != self.trouble {
            if let Some(trouble) = &sight.trouble {
                print(&format!("!  {trouble}\n"))?;
            }
            self.trouble.clone_from(&sight.trouble);
        }
        Ok(())
    }
}
