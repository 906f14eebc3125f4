//! The integration tests: one binary, real parts. A module is named after the part of the product that it proves.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod agent_leases;
mod architecture;
mod chart;
mod chart_etcd;
mod check;
mod cli;
mod crds;
mod demo;
mod dns_bind;
mod dns_hostile;
mod dns_knot;
mod dns_scenarios;
mod dns_served;
mod docs;
mod e2e_crash;
mod e2e_drill;
mod e2e_drill_crash;
mod e2e_drill_kinds;
mod e2e_etcd;
mod e2e_failover;
mod e2e_gate;
mod e2e_guardrails;
mod e2e_ledger_lost;
mod e2e_manual;
mod e2e_replicas;
mod e2e_report;
mod e2e_sites;
mod e2e_trouble;
mod e2e_workload;
mod etcd_ledger;
mod etcd_login;
mod etcd_procedures;
mod gate;
mod health_pages;
mod kube_ledger;
mod kube_resources;
mod kubectl;
mod logs;
mod manifests;
mod metering;
mod metrics;
mod probe_crl;
mod probe_http;
mod probe_ldap;
mod probe_ocsp;
mod probe_tcp;
mod probe_timestamp;
mod probe_tls;
mod promises;
mod report;
mod simulate;
#[allow(dead_code, reason = "tests/sites uses the rest")]
mod support;
mod vantage;
