//! Numbers that nobody has used before.

use ring::rand::{SecureRandom, SystemRandom};

use super::Bad;

/// Bytes that cannot be guessed.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Bad> {
    let mut bytes = [0; N];
    let made = SystemRandom::new().fill(&mut bytes);
    made.map(|()| bytes).map_err(|_| Bad::unjudged("the system gives no random numbers".to_owned()))
}
