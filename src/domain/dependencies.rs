//! Services that need each other.

use std::collections::{BTreeMap, VecDeque};

use super::ServiceKey;

/// The shortest way from a service through what it needs back to itself, beginning with it; `None`: it does not wait for
/// itself. Each service is asked once, so a cycle elsewhere does no harm.
pub fn way_back(
    start: &ServiceKey,
    needs: impl Fn(&ServiceKey) -> Vec<ServiceKey>,
) -> Option<Vec<ServiceKey>> {
    let mut came_from: BTreeMap<ServiceKey, ServiceKey> = BTreeMap::new();
    let mut next = VecDeque::from([start.clone()]);
    while let Some(key) = next.pop_front() {
        for to in needs(&key) {
            if to == *start {
                let mut way = vec![key];
                while let Some(before) =
                    way.last().filter(|last| *last != start).and_then(|last| came_from.get(last))
                {
                    way.push(before.clone());
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(&to) {
                came_from.insert(to.clone(), key.clone());
                next.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `needs`: pairs of letters, `ab` for `a` needs `b`.
    #[track_caller]
    fn check(needs: &[&str], expected: Option<&str>) {
        let key = |letter: &str| ServiceKey::new("n", letter);
        let of = |from: &ServiceKey| {
            let pairs = needs.iter().filter(|pair| *from.name == pair[..1]);
            pairs.map(|pair| key(&pair[1..])).collect()
        };
        let found = way_back(&key("a"), of);
        let names = found.map(|way| way.iter().map(|key| key.name.to_string()).collect::<String>());
        assert_eq!(names.as_deref(), expected, "{needs:?}");
    }

    #[test]
    fn a_service_that_waits_for_itself_is_found_by_the_shortest_way() {
        check(&["aa"], Some("a"));
        check(&["ab", "ba"], Some("ab"));
        check(&["ab", "bc", "cd", "da", "ca"], Some("abc"));
    }

    #[test]
    fn what_needs_others_and_what_leads_to_a_cycle_elsewhere_does_not_wait_for_itself() {
        check(&[], None);
        check(&["ab", "bc", "ac"], None);
        check(&["ab", "bc", "cb"], None);
    }
}
