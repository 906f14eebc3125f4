//! What stands where on the terminal. Colors say nothing that a word or a shape does not say, too.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Paragraph, Wrap},
};

use super::{
    super::{
        table::{pad, width},
        words::{drill_phase, drilled, length, list, say, verdict},
    },
    bar::{AWAY, Course, HOME, MOVING, TO_COME},
    sight::Sight,
};
use crate::{
    api::{DrillPhase, DrillVerdict, DrilledService},
    report::Lang,
};

const PHASES: [DrillPhase; 5] = [
    DrillPhase::Announced,
    DrillPhase::Leaving,
    DrillPhase::Holding,
    DrillPhase::Returning,
    DrillPhase::Over,
];

/// Most of the height that the services take, in parts of ten; the rest is the log's.
const SERVICES_SHARE: u16 = 6;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, sight: &Sight, lang: Lang, colors: bool) {
    let look = Look { colors };
    let services = u16::try_from(sight.status().services.len()).unwrap_or(u16::MAX);
    // One line for each, the legend and the frame.
    let wanted = services.max(1).saturating_add(3).min(frame.area().height * SERVICES_SHARE / 10);
    let rows = [
        Constraint::Length(2),
        Constraint::Length(wanted),
        Constraint::Fill(1),
        Constraint::Length(2),
        Constraint::Length(1),
    ];
    let [head, middle, log, says, keys] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(headline(sight, lang, look)), head);
    frame.render_widget(courses(sight, lang, look, middle), middle);
    frame.render_widget(timeline(sight, lang, log), log);
    frame.render_widget(Paragraph::new(message(sight, lang, look)).wrap(Wrap { trim: true }), says);
    let help = say!(
        lang,
        "q stops looking; the drill goes on. kubectl bongsu abort stops it.",
        "q: 보기 종료(훈련은 계속). 훈련 중단: kubectl bongsu abort"
    );
    frame.render_widget(Line::styled(help, Style::new().add_modifier(Modifier::DIM)), keys);
}

/// How things look.
#[derive(Clone, Copy)]
struct Look {
    colors: bool,
}

impl Look {
    fn in_color(self, color: Color) -> Style {
        if self.colors { Style::new().fg(color) } else { Style::new() }
    }

    fn of_verdict(self, verdict: DrillVerdict) -> Style {
        let color = match verdict {
            DrillVerdict::Passed => Color::Green,
            DrillVerdict::PassedWithFindings | DrillVerdict::NotStarted => Color::Yellow,
            DrillVerdict::Failed | DrillVerdict::Aborted => Color::Red,
        };
        self.in_color(color).add_modifier(Modifier::BOLD)
    }
}

/// Name and verdict or clock; below, the phases, with the one that it stands in.
fn headline(sight: &Sight, lang: Lang, look: Look) -> Vec<Line<'static>> {
    let status = sight.status();
    let meta = &sight.run.metadata;
    let name = format!(
        "{}/{}",
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default()
    );
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut first = vec![Span::styled(name, bold), Span::raw("  ")];
    match status.verdict {
        Some(found) => first.push(Span::styled(verdict(lang, found), look.of_verdict(found))),
        None => first.push(Span::raw(clock(sight, lang))),
    }
    let mut second = Vec::new();
    for phase in PHASES {
        if !second.is_empty() {
            second.push(Span::raw(" ▸ "));
        }
        let text = drill_phase(lang, phase);
        second.push(match status.phase == Some(phase) {
            true => Span::styled(format!("[{text}]"), bold),
            false => Span::raw(text),
        });
    }
    vec![Line::from(first), Line::from(second)]
}

/// How long it has run, or until it starts; and how long the hold still is.
fn clock(sight: &Sight, lang: Lang) -> String {
    let status = sight.status();
    let start = status.starts_at.as_deref().and_then(super::sight::instant);
    let Some(start) = start else {
        return say!(lang, "waits to be seen by Bongsu", "Bongsu의 확인을 기다림");
    };
    if matches!(status.phase, None | Some(DrillPhase::Announced)) {
        let rest = length(lang, start.since(sight.now));
        return match start > sight.now {
            true => say!(lang, "starts in {rest}", "{rest} 후 시작"),
            false => say!(lang, "is due, and waits", "시작 시각이 되어 대기 중"),
        };
    }
    let since = length(lang, sight.now.since(start));
    let running = say!(lang, "for {since}", "{since} 경과");
    let holds = status.phase == Some(DrillPhase::Holding);
    match sight.hold_ends().filter(|_| holds).map(|end| end.since(sight.now)) {
        Some(rest) if rest > Duration::ZERO => {
            let rest = length(lang, rest);
            running + &say!(lang, ", returns in {rest}", ", {rest} 후 원복")
        }
        _ => running,
    }
}

/// A bar for each service.
fn courses(sight: &Sight, lang: Lang, look: Look, area: Rect) -> Paragraph<'static> {
    let status = sight.status();
    let names = status.services.iter().map(|service| width(&service.name)).max().unwrap_or_default();
    let notes: Vec<String> = status.services.iter().map(|service| note(lang, service)).collect();
    let widest = notes.iter().map(|note| width(note)).max().unwrap_or_default();
    // Two frames and a space on each side of the bar.
    let room = usize::from(area.width).saturating_sub(names + widest + 4).max(1);
    let mut lines: Vec<Line<'static>> = Vec::new();
    // Two frames and the legend.
    let fits = usize::from(area.height).saturating_sub(3);
    for (service, note) in status.services.iter().zip(&notes).take(fits) {
        let [left, away] = sight.away(service);
        let [returned, back] = sight.back(service);
        let course = Course { left, away, returned, back };
        let bar = match sight.span() {
            Some((from, to)) => course.bar(from, to, sight.now, room),
            None => TO_COME.to_string().repeat(room),
        };
        lines.push(Line::from(vec![
            Span::raw(format!("{} ", pad(&service.name, names))),
            Span::styled(bar, look.in_color(Color::Cyan)),
            Span::raw(format!(" {note}")),
        ]));
    }
    if lines.is_empty() {
        lines.push(Line::raw(say!(lang, "no service is selected yet", "아직 선택된 서비스가 없습니다")));
    }
    let hidden = status.services.len().saturating_sub(fits);
    let more = match hidden {
        0 => String::new(),
        _ => say!(lang, "  (and {hidden} more services)", "  (외 서비스 {hidden}개)"),
    };
    lines.push(Line::raw(say!(
        lang,
        "{HOME} at home  {MOVING} moving  {AWAY} away  {TO_COME} to come{more}",
        "{HOME} 원래 지역  {MOVING} 전환 중  {AWAY} 전환됨  {TO_COME} 예정{more}"
    )));
    Paragraph::new(lines).block(Block::bordered().title(say!(lang, " services ", " 서비스 ")))
}

/// Where a service stands, and how long it took.
fn note(lang: Lang, service: &DrilledService) -> String {
    let state = drilled(lang, &service.state);
    let to = if service.to.is_empty() { String::new() } else { format!(" {}", list(&service.to)) };
    let rto = service.rto.map(|rto| format!(" {rto}")).unwrap_or_default();
    let back = service.return_time.map(|time| format!(" / {time}")).unwrap_or_default();
    format!("{state}{to}{rto}{back}")
}

/// The last moments that fit.
fn timeline(sight: &Sight, lang: Lang, area: Rect) -> Paragraph<'static> {
    let status = sight.status();
    let fits = usize::from(area.height).saturating_sub(2);
    let beyond = status.timeline.len().saturating_sub(fits);
    let entry =
        |entry: &crate::api::TimelineEntry| Line::raw(format!("{}  {}", sight.of_day(&entry.at), entry.what));
    let lines: Vec<Line<'static>> = status.timeline.iter().skip(beyond).map(entry).collect();
    let zone = sight.zone_name();
    let title = say!(lang, " time line ({zone}) ", " 진행 경과({zone}) ");
    Paragraph::new(lines).block(Block::bordered().title(title))
}

/// What Bongsu says now, or why it cannot be asked.
fn message(sight: &Sight, lang: Lang, look: Look) -> Line<'static> {
    if let Some(trouble) = &sight.trouble {
        let text = say!(lang, "not seen: {trouble}", "확인 불가: {trouble}");
        return Line::styled(text, look.in_color(Color::Yellow).add_modifier(Modifier::BOLD));
    }
    Line::raw(sight.status().message.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};
    use serde_json::json;

    use super::*;
    use crate::{
        api::{DrillRun, Failover, SwitchoverDrill},
        domain::Timestamp,
    };

    /// A run that holds since 20 s, 10 s before it returns.
    fn sight() -> Sight {
        let at = |second: u32| format!("2027-03-02T01:00:{second:02}.000Z");
        let run: DrillRun = serde_json::from_value(json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "DrillRun",
            "metadata": {"name": "monthly-x7k2p", "namespace": "gpki"},
            "spec": {"drillName": "monthly", "reason": "test"},
            "status": {
                "phase": "Holding", "startsAt": at(0), "message": "all are away, held for 30s",
                "services": [{
                    "name": "verify", "state": "Away", "from": ["daejeon"], "to": ["gwangju"], "away": "away",
                    "rto": "10s",
                }],
                "timeline": [{"at": at(10), "what": "verify is served by gwangju"}],
            },
        }))
        .unwrap();
        let away: Failover = serde_json::from_value(json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "Failover", "metadata": {"name": "away"},
            "spec": {"serviceName": "verify", "from": "daejeon", "reason": "test"},
            "status": {"phase": "Succeeded", "times": {"decided": at(0), "verified": at(10)}},
        }))
        .unwrap();
        let drill: SwitchoverDrill = serde_json::from_value(json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "SwitchoverDrill", "metadata": {"name": "monthly"},
            "spec": {"services": {"names": ["verify"]}, "direction": {"awayFrom": "daejeon"}, "hold": "30s"},
        }))
        .unwrap();
        Sight {
            run,
            drill: Some(drill),
            moves: [("away".to_owned(), away)].into(),
            trouble: None,
            now: Timestamp("2027-03-02T01:00:30Z".parse::<jiff::Timestamp>().unwrap().as_millisecond()),
            zone: jiff::tz::TimeZone::get("Asia/Seoul").unwrap(),
        }
    }

    fn drawn(sight: &Sight, lang: Lang) -> String {
        let mut terminal = Terminal::new(TestBackend::new(70, 14)).unwrap();
        terminal.draw(|frame| draw(frame, sight, lang, false)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_picture_says_where_the_run_stands_and_how_long_it_still_takes() {
        let text = drawn(&sight(), Lang::En);
        for part in [
            "gpki/monthly-x7k2p  for 30s, returns in 10s",
            "Leaving ▸ [Holding] ▸ Returning",
            "▒█",
            "█·",
            "Away gwangju 10s",
            "10:00:10.000  verify is served by gwangju",
            "Asia/Seoul +09:00",
            "all are away, held for 30s",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn a_cluster_that_is_silent_is_said_and_the_last_picture_stays() {
        let mut sight = sight();
        sight.trouble = Some("no answer".to_owned());
        let text = drawn(&sight, Lang::En);
        assert!(text.contains("not seen: no answer") && text.contains("Away gwangju"), "{text}");
    }

    #[test]
    fn it_fits_a_small_terminal() {
        let mut terminal = Terminal::new(TestBackend::new(20, 5)).unwrap();
        terminal.draw(|frame| draw(frame, &sight(), Lang::Ko, true)).unwrap();
    }
}
