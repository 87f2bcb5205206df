//! Prints how schedulers of one's own compare with `sjf` on a workload of one's own.

use std::error::Error;
use std::io::Write;

use evaluation::serverless_table;

fn main() -> Result<(), Box<dyn Error>> {
    let records = own_scheduler::compare(&own_scheduler::episodes()?, 30)?;
    std::io::stdout().write_all(serverless_table(&records).as_bytes())?;
    Ok(())
}
