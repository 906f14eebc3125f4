//! Values that equal probes share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// One value for each key as long as somebody uses it. Three members times five thousand checks mostly repeat a few
/// expressions and certificate bundles; a value that nobody uses any more is dropped at the next insert.
pub(super) struct Shared<K, V>(Mutex<BTreeMap<K, Weak<V>>>);

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Ord, V> Shared<K, V> {
    /// The value in use under this key, or a new one.
    pub(super) fn get_or_make<E>(&self, key: &K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = values.get(key).and_then(Weak::upgrade) {
            return Ok(value);
        }
        let value = Arc::new(make()?);
        values.retain(|_, weak| weak.strong_count() > 0);
        values.insert(key.clone(), Arc::downgrade(&value));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_while_used_and_forgotten_after() {
        let shared = Shared::<&str, String>::default();
        let make = || Ok::<_, ()>("value".to_owned());
        let first = shared.get_or_make(&"a", make).unwrap();
        assert!(Arc::ptr_eq(&first, &shared.get_or_make(&"a", make).unwrap()));
        drop(first);
        let _other = shared.get_or_make(&"b", make).unwrap();
        assert_eq!(shared.0.lock().unwrap().len(), 1);
    }
}
