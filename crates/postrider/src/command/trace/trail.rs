//! What one attempt asked and was answered.

use serde::Deserialize;

use crate::output::Output;

/// The trail as the deliverer keeps it. What a later version adds is left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Trail {
    hop: String,
    reason: String,
    dns: Vec<Dns>,
    hosts: Vec<Host>,
    left_out: u64,
}

#[derive(Debug, Deserialize)]
struct Dns {
    question: String,
    answer: String,
    ms: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Host {
    name: String,
    address: String,
    preference: Option<u16>,
    kept: bool,
    connect_ms: Option<u64>,
    failed: Option<String>,
    said: Vec<Said>,
}

#[derive(Debug, Deserialize)]
struct Said {
    to: String,
    reply: Option<String>,
    ms: u64,
}

/// Tells it, one line for each question, host and reply.
pub(super) fn tell(trail: &serde_json::Value, out: &mut Output) -> std::io::Result<()> {
    let Ok(trail) = Trail::deserialize(trail) else {
        return out.line("      (what was asked and answered cannot be read)");
    };
    for line in lines(&trail) {
        out.line(format!("      {line}"))?;
    }
    Ok(())
}

fn lines(trail: &Trail) -> Vec<String> {
    let mut lines = vec![format!("next hop {}: {}", trail.hop, trail.reason)];
    for dns in &trail.dns {
        lines.push(format!(
            "DNS {}: {}  {} ms",
            dns.question, dns.answer, dns.ms
        ));
    }
    for host in &trail.hosts {
        lines.push(host_line(host));
        for said in &host.said {
            let reply = said.reply.as_deref().unwrap_or("(no reply)");
            lines.push(format!("  {}: {reply}  {} ms", said.to, said.ms));
        }
        if let Some(failed) = &host.failed {
            lines.push(format!("  {failed}"));
        }
    }
    if trail.left_out > 0 {
        lines.push(format!("and {} lines more", trail.left_out));
    }
    lines
}

fn host_line(host: &Host) -> String {
    let preference = host
        .preference
        .map(|preference| format!(", preference {preference}"));
    let connected = match host.connect_ms {
        _ if host.kept => ", over a connection that was there".to_owned(),
        Some(ms) => format!(", connected in {ms} ms"),
        None => String::new(),
    };
    format!(
        "host {} {}{}{connected}",
        host.name,
        host.address,
        preference.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_has_a_line_for_each_thing_said() {
        let trail = serde_json::json!({
            "hop": "far.example", "reason": "no route of ours: by MX",
            "dns": [{"question": "far.example MX", "answer": "10 mx.far.example", "ms": 3}],
            "hosts": [
                {"name": "mx.far.example", "address": "192.0.2.1:25", "preference": 10,
                 "failed": "connection refused"},
                {"name": "mx2.far.example", "address": "192.0.2.2:25", "preference": 20,
                 "connect_ms": 4, "said": [
                    {"to": "RCPT TO:<a@far.example>", "reply": "550 5.1.1 no", "ms": 2},
                    {"to": "QUIT", "ms": 0}]}],
            "blamed": {"later": "fields are no harm"},
        });
        let trail = Trail::deserialize(&trail).unwrap();
        assert_eq!(
            lines(&trail).join("\n"),
            "next hop far.example: no route of ours: by MX\n\
             DNS far.example MX: 10 mx.far.example  3 ms\n\
             host mx.far.example 192.0.2.1:25, preference 10\n  connection refused\n\
             host mx2.far.example 192.0.2.2:25, preference 20, connected in 4 ms\n  \
             RCPT TO:<a@far.example>: 550 5.1.1 no  2 ms\n  QUIT: (no reply)  0 ms"
        );
    }
}
