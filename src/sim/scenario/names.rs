//! From the names in a scenario file to what they name.

use crate::{
    adapters::manifests::{FieldPath, Violation, closest},
    domain::{RegionName, ServiceKey},
    sim::{Setup, Site, process::GATES},
};

/// A name that names nothing, or a value that makes no sense, by its path below what is read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wrong {
    path: String,
    message: String,
    remedy: Option<String>,
}

impl Wrong {
    pub(super) fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into(), remedy: None }
    }

    /// The same with the last part of its path below another path.
    pub(super) fn under(self, path: &str) -> Self {
        let last = self.path.rsplit('.').next().unwrap_or_default();
        Self { path: format!("{path}.{last}"), ..self }
    }

    /// The same as a violation, below a path.
    pub(super) fn at(self, path: &FieldPath) -> Violation {
        let violation = Violation::new(path.join(&FieldPath::read(&self.path)), self.message);
        match self.remedy {
            Some(remedy) => violation.with_remedy(remedy),
            None => violation,
        }
    }
}

/// What names mean now.
pub(super) struct Names<'a> {
    pub setup: &'a Setup,
    /// Where the leader is.
    pub leader: Site,
}

impl Names<'_> {
    /// A region, or where the citizens are.
    pub(super) fn place(&self, path: &str, name: &str) -> Result<Site, Wrong> {
        match name {
            "clients" => Ok(Site(u8::try_from(self.setup.regions.len()).unwrap_or(u8::MAX))),
            _ => self.region(path, name),
        }
    }

    pub(super) fn region(&self, path: &str, name: &str) -> Result<Site, Wrong> {
        match name {
            "leader" => Ok(self.leader),
            _ => {
                let index = self.setup.regions.iter().position(|region| region.as_str() == name);
                index.and_then(|index| u8::try_from(index).ok()).map(Site).ok_or_else(|| {
                    let known = self.setup.regions.iter().map(RegionName::as_str);
                    unknown(path, "region", name, known.chain(["leader", "clients"]).collect())
                })
            }
        }
    }

    pub(super) fn process(&self, path: &str, name: &str) -> Result<u16, Wrong> {
        self.region(path, name).map(|site| u16::from(site.0))
    }

    pub(super) fn region_name(&self, path: &str, name: &str) -> Result<RegionName, Wrong> {
        let site = self.region(path, name)?;
        self.setup.region(site).cloned().ok_or_else(|| Wrong::new(path, "is no region"))
    }

    /// `NAMESPACE/NAME`, or only the name if no two services share it.
    pub(super) fn service(&self, path: &str, name: &str) -> Result<ServiceKey, Wrong> {
        let matches = |key: &&ServiceKey| key.to_string() == name || &*key.name == name;
        let mut found = self.setup.services.keys().filter(matches);
        match (found.next(), found.next()) {
            (Some(key), None) => Ok(key.clone()),
            (Some(_), Some(_)) => Err(Wrong::new(path, "names two services: write namespace/name")),
            (None, _) => {
                let known: Vec<String> = self.setup.services.keys().map(ToString::to_string).collect();
                Err(unknown(path, "service", name, known.iter().map(String::as_str).collect()))
            }
        }
    }

    pub(super) fn member(&self, service: &str, region: &str) -> Result<usize, Wrong> {
        let key = self.service("member.service", service)?;
        let site = self.region("member.in", region)?;
        let found = self.setup.members.iter().position(|m| m.service == key && m.site == site);
        found.ok_or_else(|| Wrong::new("member.in", format!("{key} has no member in {region}")))
    }

    /// The process that is the gate of a service's member.
    pub(super) fn gate(&self, service: &str, region: &str) -> Result<u16, Wrong> {
        let key = self.service("gate.service", service)?;
        let site = self.region("gate.in", region)?;
        let mut numbered = (GATES..).zip(self.setup.gates());
        let found = numbered.find(|(_, place)| place.service == key && place.site == site);
        let wrong = || Wrong::new("gate.in", format!("{key} has no gate in {region}"));
        found.map(|(number, _)| number).ok_or_else(wrong)
    }

    pub(super) fn server(&self, path: &str, address: &str) -> Result<usize, Wrong> {
        let known: Vec<String> =
            self.setup.name_servers.iter().map(|(address, _)| address.to_string()).collect();
        let found = known.iter().position(|known| known == address);
        found.ok_or_else(|| unknown(path, "name server", address, known.iter().map(String::as_str).collect()))
    }
}

fn unknown(path: &str, kind: &str, name: &str, known: Vec<&str>) -> Wrong {
    let remedy = match closest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("known here: {}", known.join(", ")),
    };
    Wrong { remedy: Some(remedy), ..Wrong::new(path, format!("there is no {kind} {name:?}")) }
}
