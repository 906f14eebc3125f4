//! Whether every member takes part: one that is gone is not noticed until the next one is.

use std::collections::BTreeMap;

use super::{
    connection::{Connection, Repeat},
    failure::Failure,
    wire::{Member, MemberListRequest, MemberListResponse, StatusRequest, StatusResponse},
};

/// What keeps members from taking part, in words; empty: all do.
pub(super) async fn absent(connection: &Connection) -> Result<Vec<String>, Failure> {
    let request = MemberListRequest { linearizable: true };
    let (list, answers) = futures::join!(
        connection.call::<_, MemberListResponse>(
            "/etcdserverpb.Cluster/MemberList",
            &request,
            Repeat::Harmless
        ),
        connection.ask_each::<_, StatusResponse>("/etcdserverpb.Maintenance/Status", &StatusRequest {}),
    );
    Ok(compared(&list?.members, answers))
}

fn compared(members: &[Member], answers: Vec<Result<StatusResponse, Failure>>) -> Vec<String> {
    let mut heard = BTreeMap::new();
    let mut silent = Vec::new();
    for answer in answers {
        match answer {
            Ok(answer) => {
                heard.insert(answer.header.unwrap_or_default().member_id, answer);
            }
            Err(failure) => silent.push(failure.to_string()),
        }
    }
    members.iter().filter_map(|member| wrong_with(member, heard.get(&member.id), &silent)).collect()
}

fn wrong_with(member: &Member, answer: Option<&StatusResponse>, silent: &[String]) -> Option<String> {
    let name = if member.name.is_empty() { "that has not joined yet" } else { &member.name };
    let Some(answer) = answer else {
        let why = match silent.is_empty() {
            true => "none of --ledger-etcd-endpoints leads to it: add its URL".to_owned(),
            false => silent.join("; "),
        };
        return Some(format!("member {name} does not answer: {why}"));
    };
    if member.is_learner {
        return Some(format!("member {name} is a learner and has no vote: promote it"));
    }
    if answer.leader == 0 {
        return Some(format!("member {name} knows no leader"));
    }
    (!answer.errors.is_empty()).then(|| format!("member {name} says: {}", answer.errors.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::{super::wire::ResponseHeader, *};

    fn member(id: u64, name: &str) -> Member {
        Member { id, name: name.to_owned(), is_learner: false }
    }

    fn answer(member_id: u64) -> StatusResponse {
        let header = Some(ResponseHeader { member_id, ..ResponseHeader::default() });
        StatusResponse { header, leader: 1, errors: Vec::new() }
    }

    #[test]
    fn each_member_that_does_not_take_part_is_named_with_why() {
        let members = [member(1, "busan"), member(2, "daejeon")];
        let of = |second| compared(&members, vec![Ok(answer(1)), second]);
        let refused = Failure::Undone("https://etcd.daejeon.example:2379: connection refused".to_owned());
        assert_eq!(of(Ok(answer(2))), Vec::<String>::new());
        assert_eq!(
            of(Err(refused)),
            ["member daejeon does not answer: https://etcd.daejeon.example:2379: connection refused"]
        );
        assert_eq!(
            of(Ok(answer(1))),
            ["member daejeon does not answer: none of --ledger-etcd-endpoints leads to it: add its URL"]
        );
        assert_eq!(of(Ok(StatusResponse { leader: 0, ..answer(2) })), ["member daejeon knows no leader"]);
        let full = StatusResponse { errors: vec!["alarm:NOSPACE".to_owned()], ..answer(2) };
        assert_eq!(of(Ok(full)), ["member daejeon says: alarm:NOSPACE"]);
    }

    #[test]
    fn a_member_that_has_no_vote_yet_or_has_not_joined_does_not_take_part() {
        let learner = Member { is_learner: true, ..member(3, "gwangju") };
        assert_eq!(
            compared(&[learner], vec![Ok(answer(3))]),
            ["member gwangju is a learner and has no vote: promote it"]
        );
        let told = compared(&[member(4, "")], vec![Ok(answer(3))]);
        assert!(told[0].starts_with("member that has not joined yet does not answer"), "{told:?}");
    }
}
