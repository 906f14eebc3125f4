//! What is between the sites: how long a message takes, and whether it arrives.

use std::time::Duration;

/// A place with links to the others: a region, or the rest of the world, where the clients are.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Site(pub u8);

/// Time of a message inside a site.
const LOCAL: Duration = Duration::from_micros(200);
/// Shortest time of a message between two sites, and what chance adds: cities that are some hundred kilometres apart.
const REMOTE: Duration = Duration::from_millis(2);
const REMOTE_SPREAD_MICROS: u64 = 2_000;
/// How much later the second copy of a doubled message comes, at most.
const COPY_SPREAD_MICROS: u64 = 3_000_000;

/// One direction between two sites.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// Nothing passes.
    pub cut: bool,
    /// Messages of a thousand that are lost.
    pub loss: u32,
    /// The same for messages of at least this size.
    pub large: Option<(usize, u32)>,
    /// What a message takes longer, at most; chance decides, so that messages overtake each other.
    pub slow: Duration,
    /// Messages of a thousand that come twice.
    pub twice: u32,
}

impl Link {
    /// Whether a message of this size is lost now.
    pub(super) fn loses(&self, bytes: usize, rng: &mut fastrand::Rng) -> bool {
        let large = self.large.filter(|(size, _)| bytes >= *size).map_or(0, |(_, permille)| permille);
        self.cut || chance(rng, self.loss) || chance(rng, large)
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    Lost,
    /// Arrives after this time, and perhaps once more after the other.
    Arrives(Duration, Option<Duration>),
}

/// All links.
pub(super) struct Network {
    sites: usize,
    links: Vec<Link>,
}

impl Network {
    /// A network without faults between this many sites; the last is the rest of the world.
    pub(super) fn new(sites: usize) -> Self {
        Self { sites, links: vec![Link::default(); sites * sites] }
    }

    pub(super) fn sites(&self) -> impl Iterator<Item = Site> + use<> {
        (0..u8::try_from(self.sites).unwrap_or(u8::MAX)).map(Site)
    }

    /// The rest of the world.
    pub(super) fn outside(&self) -> Site {
        Site(u8::try_from(self.sites.saturating_sub(1)).unwrap_or(u8::MAX))
    }

    pub(super) fn link(&self, from: Site, to: Site) -> Link {
        self.links.get(self.index(from, to)).copied().unwrap_or_default()
    }

    pub(super) fn link_mut(&mut self, from: Site, to: Site) -> Option<&mut Link> {
        let index = self.index(from, to);
        self.links.get_mut(index)
    }

    /// All links without faults.
    pub(super) fn mend(&mut self) {
        self.links.fill(Link::default());
    }

    /// Whether messages of any size pass in both directions at least now and then.
    pub(super) fn connected(&self, a: Site, b: Site) -> bool {
        a == b || !(self.link(a, b).cut || self.link(b, a).cut)
    }

    /// What becomes of a message of this size now.
    pub(super) fn fate(&self, from: Site, to: Site, bytes: usize, rng: &mut fastrand::Rng) -> Fate {
        if from == to {
            return Fate::Arrives(LOCAL, None);
        }
        let link = self.link(from, to);
        if link.loses(bytes, rng) {
            return Fate::Lost;
        }
        let mut after = REMOTE + Duration::from_micros(rng.u64(0..REMOTE_SPREAD_MICROS));
        if !link.slow.is_zero() {
            after += Duration::from_micros(rng.u64(0..=super::moment::micros(link.slow)));
        }
        let again =
            chance(rng, link.twice).then(|| after + Duration::from_micros(rng.u64(0..COPY_SPREAD_MICROS)));
        Fate::Arrives(after, again)
    }

    fn index(&self, from: Site, to: Site) -> usize {
        usize::from(from.0) * self.sites + usize::from(to.0)
    }
}

/// Happens this many times of a thousand. Draws nothing if it never happens, so that an unused fault changes no run.
pub(super) fn chance(rng: &mut fastrand::Rng, permille: u32) -> bool {
    permille > 0 && rng.u32(0..1_000) < permille
}
