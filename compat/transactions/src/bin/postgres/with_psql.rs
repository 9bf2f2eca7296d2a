//! psql, or a script in any language that runs statements.

use std::io::Write as _;
use std::process::{Command, Stdio};

use compat_transactions::{Payment, Result};

pub(crate) fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]).arg(&payment.database);
    let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let mut script = psql.stdin.take().ok_or("psql has no input")?;
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    writeln!(script, "BEGIN;\nINSERT INTO invoice VALUES ({});", quoted(&payment.invoice))?;
    for (id, body) in staged.rows() {
        let log = quoted(&staged.log().to_string());
        let (id, body) = (quoted(&id.to_string()), quoted(body));
        writeln!(script, "SELECT audit.stage({log}, ARRAY[{id}]::uuid[], ARRAY[{body}]);")?;
    }
    let commits = payment.end.commits();
    writeln!(script, "{};", if commits { "COMMIT" } else { "ROLLBACK" })?;
    drop(script);
    let status = psql.wait()?;
    if !status.success() {
        return Err(format!("psql: {status}").into());
    }
    payment.end.is_over();
    Ok(())
}
