//! What is known of one kind: an index that follows a watch. No I/O.

use std::{collections::BTreeMap, sync::Arc};

use kube::{Resource, ResourceExt, runtime::watcher::Event};

use super::guard::Guarded;

/// Namespace (empty for cluster-scoped kinds) and name.
pub(crate) type Name = (String, String);

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Table<K> {
    /// Objects as of the last full list and every event since; `None` before the first full list.
    rows: Option<BTreeMap<Name, Row<K>>>,
    /// Objects of a full list that has not ended yet.
    pending: BTreeMap<Name, Row<K>>,
}

#[derive(Debug)]
struct Row<K> {
    object: Result<Arc<K>, String>,
    uid: Option<String>,
    version: Option<String>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { rows: None, pending: BTreeMap::new() }
    }
}

impl<K: Resource<DynamicType = ()>> Table<K> {
    /// Takes an event in; whether the rows changed.
    pub(crate) fn apply(&mut self, event: Event<Guarded<K>>) -> bool {
        match event {
            Event::Init => {
                self.pending.clear();
                false
            }
            Event::InitApply(object) => {
                let (name, row) = row(object);
                self.pending.insert(name, row);
                false
            }
            Event::InitDone => {
                let before = self.rows.replace(std::mem::take(&mut self.pending));
                before.is_none_or(|before| !self.same_versions(&before))
            }
            Event::Apply(object) => {
                let (name, row) = row(object);
                self.put(name, row)
            }
            Event::Delete(object) => {
                let name = name_of(&object);
                self.rows.as_mut().is_some_and(|rows| rows.remove(&name).is_some())
            }
        }
    }

    /// Takes in the answer to a write of our own, so that the next pass compares with it. Not if the object went away
    /// meanwhile: the watch has said so, and would never say so again.
    pub(crate) fn written(&mut self, object: K) {
        let (name, row) = row(Guarded::Valid(Box::new(object)));
        if self.rows.as_ref().is_some_and(|rows| rows.get(&name).is_some_and(|known| known.uid == row.uid)) {
            self.put(name, row);
        }
    }

    /// Whether the first full list has been read.
    pub(crate) const fn is_ready(&self) -> bool {
        self.rows.is_some()
    }

    /// One object that can be read.
    pub(crate) fn get(&self, name: &Name) -> Option<Arc<K>> {
        self.rows.as_ref()?.get(name)?.object.as_ref().ok().cloned()
    }

    /// Identity of one object, even of one that cannot be read.
    pub(crate) fn uid(&self, name: &Name) -> Option<String> {
        self.rows.as_ref()?.get(name)?.uid.clone()
    }

    /// Every object that can be read.
    pub(crate) fn valid(&self) -> impl Iterator<Item = (&Name, &Arc<K>)> {
        let rows = self.rows.iter().flatten();
        rows.filter_map(|(name, row)| row.object.as_ref().ok().map(|object| (name, object)))
    }

    /// Every object that cannot be read, and why.
    pub(crate) fn invalid(&self) -> impl Iterator<Item = (&Name, &str)> {
        let rows = self.rows.iter().flatten();
        rows.filter_map(|(name, row)| row.object.as_ref().err().map(|message| (name, message.as_str())))
    }

    /// Puts a row unless what is there is as new: the answer to our own write can be ahead of the watch.
    fn put(&mut self, name: Name, row: Row<K>) -> bool {
        let Some(rows) = self.rows.as_mut() else {
            return false;
        };
        if rows.get(&name).is_some_and(|known| known.uid == row.uid && !newer(&row, known)) {
            return false;
        }
        rows.insert(name, row);
        true
    }

    fn same_versions(&self, other: &BTreeMap<Name, Row<K>>) -> bool {
        let rows = self.rows.iter().flatten().map(|(name, row)| (name, &row.uid, &row.version));
        rows.eq(other.iter().map(|(name, row)| (name, &row.uid, &row.version)))
    }
}

/// Resource versions of one kind are numbers that grow (Kubernetes says so since 1.35, and etcd's revisions always
/// were); one that is no number counts as newer, so that nothing is ever missed.
fn newer<K>(row: &Row<K>, known: &Row<K>) -> bool {
    let number = |row: &Row<K>| row.version.as_ref().and_then(|version| version.parse::<u64>().ok());
    match (number(row), number(known)) {
        (Some(row), Some(known)) => row > known,
        _ => true,
    }
}

fn row<K: Resource<DynamicType = ()>>(object: Guarded<K>) -> (Name, Row<K>) {
    let name = name_of(&object);
    let (uid, version) = (object.uid(), object.resource_version());
    let object = match object {
        Guarded::Valid(object) => Ok(Arc::from(object)),
        Guarded::Invalid { message, .. } => Err(message),
    };
    (name, Row { object, uid, version })
}

fn name_of<K: Resource<DynamicType = ()>>(object: &Guarded<K>) -> Name {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::GradePolicy;

    fn policy(name: &str, uid: &str, version: u64, grade: i32) -> GradePolicy {
        let object = json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "GradePolicy", "spec": {"grade": grade},
            "metadata": {"name": name, "uid": uid, "resourceVersion": version.to_string()},
        });
        serde_json::from_value(object).unwrap()
    }

    fn guarded(object: GradePolicy) -> Guarded<GradePolicy> {
        Guarded::Valid(Box::new(object))
    }

    fn listed(objects: Vec<GradePolicy>) -> Table<GradePolicy> {
        let mut table = Table::default();
        relist(&mut table, objects);
        table
    }

    fn relist(table: &mut Table<GradePolicy>, objects: Vec<GradePolicy>) -> bool {
        table.apply(Event::Init);
        for object in objects {
            table.apply(Event::InitApply(guarded(object)));
        }
        table.apply(Event::InitDone)
    }

    fn grade(table: &Table<GradePolicy>, name: &str) -> Option<i32> {
        table.get(&(String::new(), name.to_owned())).map(|policy| policy.spec.grade)
    }

    #[test]
    fn nothing_is_shown_before_the_first_list_ends() {
        let mut table = Table::default();
        table.apply(Event::Init);
        table.apply(Event::InitApply(guarded(policy("a", "1", 1, 1))));
        assert!(!table.is_ready());
        assert_eq!(table.valid().count(), 0);
        assert!(table.apply(Event::InitDone));
        assert!(table.is_ready());
    }

    #[test]
    fn a_new_list_replaces_the_old_and_counts_as_a_change_only_if_it_differs() {
        let mut table = listed(vec![policy("a", "1", 1, 1), policy("b", "2", 2, 2)]);
        assert!(!relist(&mut table, vec![policy("a", "1", 1, 1), policy("b", "2", 2, 2)]));
        assert!(relist(&mut table, vec![policy("b", "2", 2, 2)]));
        assert_eq!((grade(&table, "a"), grade(&table, "b")), (None, Some(2)));
    }

    #[test]
    fn a_late_event_does_not_undo_our_own_write() {
        let mut table = listed(vec![policy("a", "1", 5, 1)]);
        table.written(policy("a", "1", 9, 3));
        assert!(!table.apply(Event::Apply(guarded(policy("a", "1", 7, 2)))), "older");
        assert!(!table.apply(Event::Apply(guarded(policy("a", "1", 9, 3)))), "our own");
        assert_eq!(grade(&table, "a"), Some(3));
        assert!(table.apply(Event::Apply(guarded(policy("a", "1", 10, 4)))));
    }

    #[test]
    fn an_object_made_anew_replaces_the_old_one_whatever_its_version() {
        let mut table = listed(vec![policy("a", "1", 5, 1)]);
        assert!(table.apply(Event::Apply(guarded(policy("a", "2", 3, 2)))));
        assert_eq!(grade(&table, "a"), Some(2));
    }

    #[test]
    fn a_write_that_is_answered_after_the_object_went_away_leaves_no_ghost() {
        let mut table = listed(vec![policy("a", "1", 5, 1)]);
        assert!(table.apply(Event::Delete(guarded(policy("a", "1", 7, 1)))));
        table.written(policy("a", "1", 6, 1));
        assert_eq!(grade(&table, "a"), None);
    }
}
