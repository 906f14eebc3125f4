//! The report of a drill: what an auditor gets, how it is sealed, and how anybody can check that nothing in it was changed.
//!
//! Pure: values in, text out. Who fills a report, where it is kept and what time it is are not known here. Absent: PDF (a
//! browser prints the page), trusted timestamps of a third party.

mod canonical;
mod document;
mod html;
mod human;
mod inspection;
mod keys;
mod markdown;
mod model;
mod samples;
mod schema;
mod seal;
mod text;
mod verify;
mod words;

pub use canonical::CanonicalError;
pub use inspection::{Counts, Found, Inspection, Line};
pub use keys::{KeyError, PublicKey, SigningKey};
pub use model::{
    Approver, Bucket, CheckOutcome, Clocks, Deviation, DeviationKind, DrillReport, Finding, FollowUp,
    Guardrail, Identity, Integrity, Kind, Moment, Move, Notice, Objective, Outcome, People, PreCheck,
    PreviousDrill, Rto, Schema, Scope, ServiceResult, Severity, Task, Verdict,
};
pub use samples::{Sample, Tally};
pub use schema::schema;
pub use seal::{Algorithm, SealError, Sealed, Signature, fingerprint};
pub use verify::{Checked, Status, verify};
pub use words::{Lang, remedy};

/// The report as Markdown.
#[must_use]
pub fn markdown(sealed: &Sealed, lang: Lang) -> String {
    markdown::render(&document::document(sealed, lang))
}

/// The report as one page that a browser shows and prints without fetching anything.
#[must_use]
pub fn html(sealed: &Sealed, lang: Lang) -> String {
    html::render(&document::document(sealed, lang), lang)
}

/// An inspection as one page that a browser shows and prints without fetching anything.
#[must_use]
pub fn inspection_html(inspection: &Inspection, lang: Lang) -> String {
    html::inspection::render(inspection, lang)
}

#[cfg(test)]
mod tests;
