//! Bongsu watches shared services that run in several regions, moves them when a region is lost, and drills the move.
//!
//! Read in this order: `api` is what users write, `domain` decides, `ports` name the outside, `adapters` touch it,
//! `reconcile` is one pass, `sim` replaces the outside.

pub mod adapters;
pub mod api;
pub mod cli;
pub mod domain;
pub mod gate;
pub mod observability;
pub(crate) mod planted;
pub mod ports;
pub mod reconcile;
pub mod report;
pub mod sim;
pub mod timetable;
