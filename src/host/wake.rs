//! Waking a host that does not answer: packets go out until its sshd answers.
//! What is in a packet is `crate::wake`'s; whether to send one is the verbs'.

use std::net::UdpSocket;
use std::time::Duration;

use tokio::time::{Instant, interval, sleep, timeout};

use super::link::Link;
use super::{failure, hinted, last_lines};
use crate::connection::Connection;
use crate::event::{Event, Happened, Sender};
use crate::survey::{Failure, Unreached};
use crate::wake::Wake;

const STEP: &str = "waking it";
/// How often a packet is sent: one may be lost, and a card may not listen yet while its machine falls asleep.
const AGAIN: Duration = Duration::from_secs(5);
/// Between two tries to log in.
const PAUSE: Duration = Duration::from_secs(1);
/// For Docker to follow sshd when a machine boots.
const DOCKER: Duration = Duration::from_secs(30);
/// For the host that sends the packet.
const VIA: Duration = Duration::from_secs(15);

/// Sends a packet: `$1` in hexadecimal digits, to the address `$2`, port `$3`. No shell has a socket that may broadcast;
/// one of the two is on every Debian, Fedora and Mac. A Mac's python3 may only ask for Apple's tools.
const SEND: &str = r#"
cd / || exit 1
if [ ! -x /bin/launchctl ] && command -v python3 >/dev/null 2>&1; then
  exec python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.sendto(bytes.fromhex(sys.argv[1]), (sys.argv[2], int(sys.argv[3])))' "$@"
elif command -v perl >/dev/null 2>&1; then
  exec perl -MSocket -e '
socket(my $s, PF_INET, SOCK_DGRAM, 0) && setsockopt($s, SOL_SOCKET, SO_BROADCAST, 1)
  && send($s, pack("H*", $ARGV[0]), 0, pack_sockaddr_in($ARGV[2], inet_aton($ARGV[1]))) or die "$!\n"' "$@"
fi
echo 'there is neither python3 nor perl to send a packet with' >&2
exit 1
"#;

/// Whether nobody answers at a host.
pub async fn sleeps(connection: &Connection) -> bool {
    match Link::reach(connection).await {
        // The look that follows finds the master.
        Ok(link) => {
            link.close().await;
            false
        }
        Err(Unreached { silent, .. }) => silent,
    }
}

/// Wakes a host, from this machine or from another host, and waits until it answers, with its Docker if it is to have one
/// by now.
///
/// # Errors
/// That it does not, or that no packet could be sent.
pub async fn wake(
    connection: &Connection,
    (how, via): (&Wake, Option<&Connection>),
    docker: bool,
    events: &Sender,
) -> Result<(), Failure> {
    let tell = |happened| {
        let (host, step) = (connection.name.clone(), STEP.to_owned());
        // Nobody listens any more once the terminal is gone.
        let _ = events.send(Event { host, service: None, step, happened });
    };
    tell(Happened::Began);
    let began = Instant::now();
    let ticking = async {
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            let what = format!("{} s", began.elapsed().as_secs());
            tell(Happened::Goes { what, of: None });
        }
    };
    let calling = async {
        if let Err(why) = call(how, via).await {
            return why;
        }
        loop {
            sleep(AGAIN).await;
            // One of many may fail.
            let _ = call(how, via).await;
        }
    };
    let woken = tokio::select! {
        up = timeout(Duration::from_secs(how.timeout), answers(connection, docker)) => {
            up.unwrap_or_else(|_| Err(asleep(connection, how, via)))
        }
        why = calling => Err(why),
        () = ticking => Ok(()),
    };
    tell(match &woken {
        Ok(()) => Happened::Done,
        // Why is whoever asked for it told.
        Err(_) => Happened::Failed(failure(STEP, "it sleeps on")),
    });
    woken
}

/// Tries to log in until somebody answers. What they answer is for the look that follows.
async fn answers(connection: &Connection, docker: bool) -> Result<(), Failure> {
    loop {
        match Link::reach(connection).await {
            Ok(link) => {
                if docker {
                    settle(&link).await;
                }
                link.close().await;
                return Ok(());
            }
            Err(Unreached { silent: false, .. }) => return Ok(()),
            Err(Unreached { silent: true, .. }) => sleep(PAUSE).await,
        }
    }
}

/// Waits for the Docker of a machine that boots.
async fn settle(link: &Link) {
    let up = async {
        while link.docker().await.is_err() {
            sleep(PAUSE).await;
        }
    };
    // Whatever is wrong with it then, the look says it.
    let _ = timeout(DOCKER, up).await;
}

fn asleep(connection: &Connection, how: &Wake, via: Option<&Connection>) -> Failure {
    let from = via.map_or("this machine", |via| via.name.as_str());
    hinted(
        STEP,
        format!(
            "{} has not answered for {} s, with packets to {} from {from}",
            connection.address, how.timeout, how.mac
        ),
        "is Wake-on-LAN on, in its firmware and for its card (sudo ethtool -s CARD wol g), and is `mac` that of the wired card? A \
         packet crosses no router, and leaves by one network: `broadcast` names the right one, `via` a host that is in it",
    )
}

/// Sends one packet.
async fn call(how: &Wake, via: Option<&Connection>) -> Result<(), Failure> {
    let packet = how.mac.magic_packet();
    let Some(via) = via else {
        let sent = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.set_broadcast(true)?;
            socket.send_to(&packet, (how.broadcast, how.port.get()))
        });
        let failed = |e| {
            hinted(STEP, format!("no packet can be sent to {}: {e}", how.broadcast), "correct `broadcast`")
        };
        return sent.map(drop).map_err(failed);
    };
    let bytes = hex::encode(packet);
    let sending = async {
        let link = Link::open(via).await?;
        let ran = link.run(SEND, &[&bytes, &how.broadcast.to_string(), &how.port.to_string()], &[]).await;
        link.close().await;
        ran
    };
    let step =
        |why: Failure| Failure { what: format!("{}: {}", via.name, why.what), step: STEP.to_owned(), ..why };
    let slow = |_| failure(STEP, "the host that sends the packet does not answer");
    let output = timeout(VIA, sending).await.map_err(slow).and_then(|ran| ran).map_err(step)?;
    match output.code {
        Some(0) => Ok(()),
        _ => Err(Failure {
            lines: last_lines(&String::from_utf8_lossy(&output.stderr), 3),
            ..hinted(
                STEP,
                format!("{} could not send the packet", via.name),
                "`via` another host, or correct `broadcast`",
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{HostName, Port};

    /// A packet to whoever listens on this machine, sent from it by itself or by the script that other hosts run.
    async fn sent(via: Option<&Connection>) -> Vec<u8> {
        let listener = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = Port::new(i64::from(listener.local_addr().unwrap().port())).unwrap();
        let mac = "a8:a1:59:0c:3e:7f".parse().unwrap();
        let how = Wake { mac, broadcast: "127.0.0.1".parse().unwrap(), port, timeout: 1 };
        call(&how, via).await.unwrap();
        let mut bytes = [0; 200];
        let got = timeout(Duration::from_secs(20), listener.recv(&mut bytes)).await.unwrap().unwrap();
        bytes[..got].to_vec()
    }

    #[tokio::test]
    async fn the_packet_arrives_whoever_sends_it() {
        let packet = "a8:a1:59:0c:3e:7f".parse::<crate::wake::Mac>().unwrap().magic_packet();
        assert_eq!(sent(None).await, packet);
        let here = Connection { local: true, ..Connection::new(HostName::new("here").unwrap()) };
        assert_eq!(sent(Some(&here)).await, packet);
    }
}
