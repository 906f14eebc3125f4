use super::*;

/// Judges `{body}` with status 200 and one header; `ok` or the reason.
fn check(source: &str, body: &str) -> String {
    let expect = match Expect::compile(source) {
        Ok(expect) => expect,
        Err(cause) => return format!("does not compile: {cause}"),
    };
    let mut headers = HeaderMap::new();
    headers.insert("X-Region", "daejeon".parse().unwrap());
    match expect.judge(200, &headers, serde_json::from_str(body).unwrap()) {
        Ok(()) => "ok".to_owned(),
        Err(reason) => reason,
    }
}

#[test]
fn an_expression_sees_body_status_and_lower_case_headers() {
    let source = "body.result == 'good' && status == 200 && headers['x-region'] == 'daejeon'";
    assert_eq!(check(source, r#"{"result":"good"}"#), "ok");
    assert_eq!(check(source, r#"{"result":"bad"}"#), "expect is false");
}

#[test]
fn whole_numbers_are_int_and_can_be_counted_with() {
    assert_eq!(check("body.height + 1 == 8 && body.share < 0.5", r#"{"height":7,"share":0.25}"#), "ok");
}

#[test]
fn a_missing_field_is_named() {
    assert_eq!(check("body.result == 'good'", "{}"), "expect: No such key: result");
}

#[test]
fn a_result_that_is_not_a_truth_value_is_wrong() {
    assert_eq!(check("body.result", r#"{"result":1}"#), "expect is a int, not true or false");
}

#[test]
fn a_misspelt_name_is_refused_before_it_can_fail_a_member() {
    assert!(check("bdy.result == 'good'", "{}").contains("unknown name bdy"));
    assert!(check("body.all(x, y > 1)", "[]").contains("unknown name y"));
    assert_eq!(check("body.all(x, int(x) > 1)", "[2, 3]"), "ok");
}

#[test]
fn a_syntax_error_says_where() {
    let said = check("body.result == ", "{}");
    assert!(said.starts_with("does not compile: line 1, column "), "{said}");
}

#[test]
fn an_expression_as_deep_as_users_may_write_cannot_overflow_the_stack() {
    for source in [
        format!("{}true{}", "(".repeat(1_000), ")".repeat(1_000)),
        "(".repeat(2_048),
        "[".repeat(2_048),
        format!("true{}", " ? true : true".repeat(140)),
        format!("{}true", "!".repeat(2_000)),
        format!("1{} == 1", "+1".repeat(1_000)),
        format!("body{}", ".a".repeat(1_000)),
        format!("{}1 == 1", "-".repeat(2_000)),
        format!("{}true", "true && ".repeat(250)),
    ] {
        // A worker's stack, whatever the test runner gives.
        let judged = std::thread::Builder::new().stack_size(2 << 20).spawn(move || check(&source, "{}"));
        assert!(!judged.unwrap().join().unwrap().is_empty());
    }
}

#[test]
fn the_deepest_allowed_nesting_is_evaluated() {
    let source = format!("{}true{}", "(".repeat(NESTING_MAX), ")".repeat(NESTING_MAX));
    assert_eq!(check(&source, "{}"), "ok");
}

#[test]
fn the_deepest_allowed_expression_is_evaluated_over_the_deepest_answer_on_a_worker() {
    let deep = format!("{}1{}", "[".repeat(127), "]".repeat(127));
    let judged = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let operators = format!("1{} == {} && body == body", "+1".repeat(DEPTH_MAX - 2), DEPTH_MAX - 1);
        (check(&operators, &deep), check("body.all(x, x.all(y, y == y && y != body))", &deep))
    });
    assert_eq!(judged.unwrap().join().unwrap(), ("ok".to_owned(), "ok".to_owned()));
}

#[test]
fn loops_over_a_hostile_list_are_refused_instead_of_run() {
    let list = format!("[{}0]", "0,".repeat(30_000));
    assert!(check("body.all(x, body.all(y, x == y))", &list).contains("too long for 2 loops"));
    assert!(check("body.all(x, body.all(y, body.all(z, true)))", "[]").contains("more than 2 loops"));
    assert_eq!(check("body.all(x, x == 0)", &list), "ok");
}

#[test]
fn hostile_values_make_a_reason_and_no_panic() {
    let huge = format!(r#"{{"n":{},"t":"{}"}}"#, i64::MAX, "가".repeat(10_000));
    for source in [
        "body.n + 1 > 0",
        "body.t + 1 == ''",
        "body.n / 0 == 1",
        "body.t.matches('(') ",
        "body.t[9] == ''",
        "body.t == body",
    ] {
        let said = check(source, &huge);
        assert!(said.len() <= 256 && said != "ok", "{source}: {said}");
    }
}
