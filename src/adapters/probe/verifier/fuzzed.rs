//! Answers of a verifier as fuzzing makes them.

use std::sync::LazyLock;

use http::HeaderMap;

use super::{
    super::{fuzzed::means, transaction::Names},
    Answer, Arc, Bad, Message, Values, VerifierStep,
};
use crate::ports::{StepBody, StepSpec};

/// A message that is answered, the one that is made of the answer, and the first as one that must be refused.
static MESSAGES: LazyLock<Result<[Message; 3], String>> = LazyLock::new(messages);

/// Judges an answer, and makes the next message of what it says.
pub(in super::super) fn judge(answer: &[u8]) -> Result<(), Bad> {
    let [taken, next, refused] = MESSAGES.as_ref().map_err(|cause| Bad::wrong(cause.clone()))?;
    let answer = Answer { status: 200, headers: HeaderMap::new(), bytes: answer.to_vec() };
    let _refused = refused.judge.answer(&answer);
    let body = taken.judge.answer(&answer)?;
    let mut values = Values::drawn()?;
    taken.step.capture(&body, &mut values)?;
    next.step.request(&values).map(drop)
}

fn messages() -> Result<[Message; 3], String> {
    let (means, mut names) = (means(), Names::default());
    let mut message = |spec| Message::new(&means, &spec, &mut names);
    let captures = vec![("code".into(), "/data/code".into()), ("profile".into(), "/data/profile".into())];
    let taken = message(step(StepBody::None, "/", captures))?;
    let body = StepBody::Data(r#"{"code": "{code}", "profile": {profile}}"#.into());
    let mut next = step(body, "/next?code={code}", Vec::new());
    next.request.headers = vec![("x-code".to_owned(), "{code}".to_owned())];
    let next = message(next)?;
    let refused = step(StepBody::Json("{}".into()), "/", Vec::new());
    let refused = message(VerifierStep { expect_code: Some("20401".into()), expect: None, ..refused })?;
    Ok([taken, next, refused])
}

fn step(body: StepBody, path: &str, captures: Vec<(Arc<str>, Arc<str>)>) -> VerifierStep {
    let request = StepSpec {
        name: "message".into(),
        method: "POST",
        path: path.into(),
        headers: Vec::new(),
        secret_headers: Vec::new(),
        body,
        captures,
    };
    let expect = Some("body.data.profile.n == 1".into());
    VerifierStep { request, http_status: 200, result: "/result".into(), expect_code: None, expect }
}
