//! What stands where on the terminal. Colors say nothing that a word or a shape does not say, too.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Paragraph},
};

use crate::cli::demo::{
    event::{list, seconds},
    story::{Place, Story},
    summary::bars,
};

/// Lines of one data center, with its frame.
const PLACE: u16 = 6;

/// Lines of the citizen, and of the clocks, with their frames.
const CITIZEN: u16 = 6;
const CLOCKS: u16 = 10;

/// How things look.
#[derive(Clone, Copy)]
struct Look {
    colors: bool,
}

impl Look {
    fn in_color(self, color: Color) -> Style {
        if self.colors { Style::new().fg(color) } else { Style::new() }
    }

    fn good(self) -> Style {
        self.in_color(Color::Green)
    }

    fn bad(self) -> Style {
        self.in_color(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn of_health(self, health: &str) -> Style {
        match health {
            "Healthy" => self.good(),
            "Down" | "Failed" => self.bad(),
            _ => self.in_color(Color::Yellow),
        }
    }
}

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, story: &Story, colors: bool) {
    let look = Look { colors };
    let rows = [Constraint::Length(1), Constraint::Length(CITIZEN + CLOCKS), Constraint::Fill(1)];
    let [title, upper, lower] = Layout::vertical(rows).areas(frame.area());
    let [left, right] = Layout::horizontal([Constraint::Percentage(42), Constraint::Fill(1)]).areas(upper);
    frame.render_widget(headline(story, look), title);
    let heights = [Constraint::Length(PLACE), Constraint::Length(PLACE), Constraint::Fill(1)];
    for (place, area) in story.places.iter().zip(Layout::vertical(heights).split(left).iter()) {
        frame.render_widget(beacon(place, story, look), *area);
    }
    let heights = [Constraint::Length(CITIZEN), Constraint::Fill(1)];
    let [citizen_area, clocks_area] = Layout::vertical(heights).areas(right);
    frame.render_widget(citizen(story, look, citizen_area), citizen_area);
    frame.render_widget(clocks(story), clocks_area);
    // Until something is decided, the whole width is the log's.
    let share = if story.rules.is_empty() { 0 } else { 50 };
    let [rules_area, log_area] =
        Layout::horizontal([Constraint::Percentage(share), Constraint::Fill(1)]).areas(lower);
    if !story.rules.is_empty() {
        frame.render_widget(rules(story, look), rules_area);
    }
    frame.render_widget(last_lines(story, log_area), log_area);
}

fn headline(story: &Story, look: Look) -> Line<'static> {
    let time = seconds(story.shown(story.now));
    let (text, style) = match (story.fault, story.clocks.served) {
        _ if story.drill.is_some() => (format!("a drill, for {time}"), look.good()),
        (None, _) => (format!("all is well, {time}"), look.good()),
        (Some(_), None) => (format!("POWER CUT {time} ago"), look.bad()),
        (Some(_), Some(served)) => (format!("served again after {}", seconds(served)), look.good()),
    };
    Line::from(vec![Span::raw(" Bongsu demo: gpki-verify    "), Span::styled(text, style)])
}

/// A beacon tower burns while its Bongsu lives.
fn beacon(place: &Place, story: &Story, look: Look) -> Paragraph<'static> {
    let serves = story.serving.contains(&place.name);
    let leads = story.leader.as_ref() == Some(&place.name);
    let (fire, bongsu, style) = match (place.lost, place.alive) {
        (true, Some(false)) => ("✗", "silent, its lease ran out", look.bad()),
        (true, _) => ("✗", "silent, its lease still runs", look.bad()),
        (false, None) => ("·", "starts", look.in_color(Color::Yellow)),
        (false, Some(_)) => ("▲", "watches", look.good()),
    };
    let mut bongsu = vec![Span::raw(" Bongsu   "), Span::styled(format!("{fire} {bongsu}"), style)];
    if leads {
        bongsu.push(Span::styled(", decides", Style::new().add_modifier(Modifier::BOLD)));
    }
    let mut lines = vec![Line::from(bongsu)];
    match place.service {
        None => lines.push(Line::from(" witness: no service here")),
        Some(address) => {
            let role = if serves { format!("SERVES, epoch {}", story.epoch) } else { "stands by".to_owned() };
            lines.push(Line::from(format!(" service  {address} {role}")));
            lines.push(Line::from(vec![
                Span::raw(" quorum   "),
                Span::styled(place.health.clone(), look.of_health(&place.health)),
            ]));
            lines.push(verdicts(place, look));
        }
    }
    let lost = if place.lost { ": POWER CUT" } else { "" };
    let frame = if place.lost { look.bad() } else { Style::new() };
    Paragraph::new(lines)
        .block(Block::bordered().title(format!(" {}{lost} ", place.name)).border_style(frame))
}

fn verdicts(place: &Place, look: Look) -> Line<'static> {
    let mut spans = vec![Span::raw(" seen by  ")];
    for (vantage, verdict) in &place.verdicts {
        let sign = match verdict.as_str() {
            "Healthy" => "✓",
            "Failed" => "✗",
            "Degraded" | "Recovering" => "!",
            _ => "?",
        };
        spans.push(Span::styled(format!("{vantage} {sign}  "), look.of_health(verdict)));
    }
    Line::from(spans)
}

fn citizen(story: &Story, look: Look, area: Rect) -> Paragraph<'static> {
    let width = usize::from(area.width.saturating_sub(3));
    let older = story.strip.len().saturating_sub(width);
    let strip = story.strip.iter().skip(older).map(|mark| match mark.ok {
        true => Span::styled("█", look.good()),
        false => Span::styled("✗", look.bad()),
    });
    let strip: Vec<Span<'static>> = std::iter::once(Span::raw(" ")).chain(strip).collect();
    let asked =
        story.strip.iter().skip(older).map(|mark| match mark.place.and_then(|i| story.places.get(i)) {
            Some(place) => place.name.as_str().chars().next().unwrap_or('?'),
            None => '?',
        });
    let answer = match story.answer {
        Some((address, ttl)) => format!(" DNS answer {address}, TTL {ttl} s"),
        None => " DNS answer: none yet".to_owned(),
    };
    let counts = format!(
        " {} verifications of 4 KB, median {} ms, {} errors since the {}",
        story.requests,
        story.median_latency(),
        story.error_count(),
        if story.fault.is_some() { "fault" } else { "drill began" }
    );
    let names: String = std::iter::once(' ').chain(asked).collect();
    Paragraph::new(vec![Line::from(strip), Line::from(names), Line::from(answer), Line::from(counts)])
        .block(Block::bordered().title(" citizen: █ good ✗ error, and who was asked "))
}

fn clocks(story: &Story) -> Paragraph<'static> {
    let lines: Vec<Line<'static>> = match (story.predicted_millis, &story.next_move) {
        (Some(predicted), _) => bars(&story.clocks, predicted).into_iter().map(Line::from).collect(),
        (None, Some((_, message))) => vec![Line::from(format!(" {message}"))],
        (None, None) => Vec::new(),
    };
    Paragraph::new(lines).block(Block::bordered().title(" clocks since the fault "))
}

fn rules(story: &Story, look: Look) -> Paragraph<'static> {
    let title = format!(" rules: decided for {} ", list(&story.moved_to));
    let lines: Vec<Line<'static>> = story
        .rules
        .iter()
        .map(|said| {
            let (sign, style) = match (said.lets_go(), said.outcome.as_str()) {
                (true, "Pass") => ("✓", look.good()),
                (true, _) => ("-", Style::new()),
                (false, _) => ("✗", look.bad()),
            };
            Line::from(vec![
                Span::styled(format!(" {sign} "), style),
                Span::raw(format!("{:<17} {}", said.rule, said.message)),
            ])
        })
        .collect();
    Paragraph::new(lines).block(Block::bordered().title(title))
}

fn last_lines(story: &Story, area: Rect) -> Paragraph<'static> {
    let height = usize::from(area.height.saturating_sub(2));
    let older = story.log.len().saturating_sub(height);
    let lines: Vec<Line<'static>> = story
        .log
        .iter()
        .skip(older)
        .map(|(at, sentence)| {
            Line::from(format!(" +{:<7} {sentence}", seconds(story.shown(*at)).replace(' ', "")))
        })
        .collect();
    Paragraph::new(lines).block(Block::bordered().title(" what happens (q stops) "))
}
