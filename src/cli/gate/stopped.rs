//! `bongsu gate-stopped`: a person says that a gate writes no more.

use std::sync::Arc;

use anyhow::{Context, bail};

use super::{Outcome, service};
use crate::{
    adapters::{clock::SystemClock, ledger::EtcdLedger},
    cli::etcd::EtcdArgs,
    domain::{Promisers, ServiceKey},
    ports::{Clock, Key, Ledger, promisers},
};

const EXAMPLES: &str = "\
Example:
  bongsu gate-stopped gate_daejeon-db-0_1795390553123 --service gpki/gpki-directory \\
      --ledger-etcd-endpoints https://etcd.busan.example:2379

Exit codes: 0 nobody waits for that gate any more; 2 it is not the gate that is waited for, or the ledger does not answer.";

/// Arguments of `bongsu gate-stopped`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The gate, as the message names it that waits for it
    gate: String,

    /// The SharedService that its writer wrote for
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service)]
    service: ServiceKey,

    #[command(flatten)]
    etcd: EtcdArgs,
}

/// Takes out of the ledger whom the gate asks for promises.
pub(in crate::cli) fn run(args: Args) -> anyhow::Result<Outcome> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ledger = EtcdLedger::new(args.etcd.config()?, clock)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let found = promisers(&ledger, &args.service).await.context("ask the ledger")?;
        let Some((version, left)) = found else {
            println!("no gate of {} asks for promises: nobody waits for one", args.service);
            return Ok(Outcome::Good);
        };
        if left.gate.as_str() != args.gate {
            bail!("the gate of {} that asks for promises is {}, not {}", args.service, left.gate, args.gate);
        }
        ledger
            .delete(&Key::new(Promisers::key(&args.service)), version)
            .await
            .context("write to the ledger")?;
        println!("nobody waits for gate {} any more", left.gate);
        Ok(Outcome::Good)
    })
}
