//! What the rules of a decision say.

use super::{table::Table, words::say};
use crate::{api::RuleStatus, report::Lang};

/// Whether a rule keeps a move from happening by itself.
pub(super) fn is_in_the_way(rule: &RuleStatus) -> bool {
    matches!(rule.outcome.as_str(), "Block" | "Recommend")
}

/// Rules with what they say, or nothing.
pub(super) fn rules_table(lang: Lang, rules: &[&RuleStatus]) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new([say!(lang, "  RULE", "  규칙"), say!(lang, "SAYS", "결과"), say!(lang, "WHY", "근거")]);
    for rule in rules {
        table.row(vec![format!("  {}", rule.rule), rule.outcome.clone(), rule.message.clone()]);
    }
    table.text()
}
