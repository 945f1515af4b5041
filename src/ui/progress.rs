//! Progress: bars on a terminal, plain lines elsewhere, both made from the same events.
//! It shows; it changes nothing of the work.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::{mpsc, watch};

use super::{GREEN, RED, note, paint};
use crate::claim::Holder;
use crate::diagnostic::clean;
use crate::event::{Event, Happened};
use crate::names::{ByteSize, HostName, ServiceName};

/// A line of progress: a host and a service; or a host and one of its own steps, which run side
/// by side.
type Key = (HostName, Option<ServiceName>, Option<String>);

fn key(event: &Event) -> Key {
    let step = event.service.is_none().then(|| event.step.clone());
    (event.host.clone(), event.service.clone(), step)
}

/// How often a bar moves while it has no news.
const TICK: Duration = Duration::from_millis(120);

/// How often a plain line may repeat that something goes on.
const QUIET: Duration = Duration::from_secs(5);
/// How often it is told that something goes on although nothing is new.
const STILL: Duration = Duration::from_secs(60);
/// How often it is looked whether one is due.
const LOOK: Duration = Duration::from_secs(1);

/// Shows a spinner while the hosts are looked at, if that takes more than a moment.
pub async fn looking<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(Duration::from_millis(300)) => {}
    }
    let bar = ProgressBar::new_spinner().with_message("looking at the hosts");
    bar.enable_steady_tick(TICK);
    let done = work.await;
    bar.finish_and_clear();
    done
}

/// Says whose lock is waited for, and how long at most.
pub fn waits_for(host: &HostName, holder: Option<&Holder>, seconds: u32) {
    let who = holder.map_or_else(|| "another homelab".to_owned(), ToString::to_string);
    note(&format!("{host}: waiting up to {seconds} s for {who} to be done\n"));
}

/// Says that somebody was at work while or since the hosts were looked at.
pub fn looks_again(host: &HostName, holder: Option<&Holder>) {
    let who = holder.map_or_else(|| "somebody".to_owned(), ToString::to_string);
    note(&format!("{who} was at work on {host}. Looking again.\n"));
}

/// Says that nothing was done.
pub fn untouched() {
    note("Nothing was changed.\n");
}

/// Does some work to its end; Ctrl-C turns `stop` true, and the work then ends as soon as it has put away
/// what it made.
pub async fn stoppable<T>(work: impl Future<Output = T>, stop: watch::Sender<bool>) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        _ = tokio::signal::ctrl_c() => {}
    }
    let _ = stop.send(true);
    work.await
}

/// Turns Ctrl-C into a wish to stop; a second one ends the program at once. `homelab {verb}` then goes on.
pub async fn interrupts(stop: watch::Sender<bool>, verb: &'static str) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    note("\nInterrupted: ending what waits and leading back what was begun. Once more to leave at once.\n");
    let _ = stop.send(true);
    if tokio::signal::ctrl_c().await.is_ok() {
        note(&format!("\nLeft at once. `homelab {verb}` goes on from here.\n"));
        std::process::exit(130);
    }
}

/// Shows events until no more can come.
pub async fn show(mut events: mpsc::UnboundedReceiver<Event>) {
    if std::io::stderr().is_terminal() {
        let mut bars = Bars::new();
        while let Some(event) = events.recv().await {
            bars.show(&event);
        }
        bars.end();
    } else {
        let mut lines = Lines::default();
        loop {
            match tokio::time::timeout(LOOK, events.recv()).await {
                Ok(Some(event)) => lines.show(&event),
                Ok(None) => break,
                Err(_) => {}
            }
            lines.due(Instant::now()).iter().for_each(|line| note(line));
        }
    }
}

/// Where a line is about.
fn place(event: &Event) -> String {
    match &event.service {
        Some(service) => format!("{} · {service}", event.host),
        None => event.host.to_string(),
    }
}

fn goes(what: &str, of: Option<(u64, u64)>) -> String {
    let what = clean(what).replace('\n', " ");
    match of {
        // A percentage counts to 100; nothing that is pulled is that small.
        Some((done, 100)) => format!("{what} {done} %"),
        Some((done, total)) => format!("{what} {} of {}", ByteSize(done), ByteSize(total)),
        None => what,
    }
}

/// One plain line for each thing that begins, ends, or has gone on for a while.
#[derive(Default)]
struct Lines {
    began: BTreeMap<Key, Instant>,
    last: BTreeMap<Key, (Instant, String)>,
    /// The step that goes on, and what it does.
    doing: BTreeMap<Key, (String, String)>,
    /// What came too soon after a line: a phase that lasts is told a little later.
    held: BTreeMap<Key, (String, String)>,
}

impl Lines {
    fn show(&mut self, event: &Event) {
        let key = key(event);
        let now = Instant::now();
        let place = place(event);
        self.held.remove(&key);
        self.doing.remove(&key);
        match &event.happened {
            Happened::Began => {
                self.began.insert(key.clone(), now);
                self.last.insert(key.clone(), (now, String::new()));
                let beginning = format!("{place}: {}", clean(&event.step));
                note(&format!("{beginning}\n"));
                self.doing.insert(key, (beginning, String::new()));
            }
            Happened::Goes { what, of } => {
                let beginning = format!("{place}: {}", clean(&event.step));
                let doing = (beginning, goes(what, *of));
                self.doing.insert(key.clone(), doing.clone());
                self.held.insert(key, doing);
            }
            Happened::Done => {
                let took = self.began.get(&key).map(Instant::elapsed).unwrap_or_default();
                if took >= Duration::from_secs(1) {
                    note(&format!(
                        "{place}: {}: done after {:.1} s\n",
                        clean(&event.step),
                        took.as_secs_f64()
                    ));
                }
            }
            Happened::Warned(what) => {
                note(&format!("{place}: {}: warning: {}\n", clean(&event.step), clean(what)));
            }
            Happened::Failed(why) => {
                note(&format!("{place}: {}: {}\n", clean(&event.step), clean(&why.what)))
            }
            Happened::Skipped => note(&format!("{place}: not begun\n")),
        }
    }

    /// What is new, where nothing was told for a while.
    fn due(&mut self, now: Instant) -> Vec<String> {
        let quiet = |key: &Key| self.last.get(key).is_none_or(|(at, _)| now.duration_since(*at) >= QUIET);
        let due: Vec<Key> = self.held.keys().filter(|key| quiet(key)).cloned().collect();
        let mut lines = Vec::new();
        for key in due {
            let Some((beginning, text)) = self.held.remove(&key) else { continue };
            if self.last.get(&key).is_none_or(|(_, last)| *last != text) {
                lines.push(format!("{beginning}: {text}\n"));
                self.last.insert(key, (now, text));
            }
        }
        lines.extend(self.still(now));
        lines
    }

    /// What goes on for long without news: nobody should have to guess whether anything happens.
    fn still(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, (beginning, text)) in &self.doing {
            let Some((at, last)) = self.last.get_mut(key) else { continue };
            let began = self.began.get(key).copied().unwrap_or(*at);
            if now.duration_since(*at) < STILL {
                continue;
            }
            let what = if text.is_empty() { String::new() } else { format!("{text}, ") };
            let minutes = now.duration_since(began).as_secs() / 60;
            lines.push(format!("{beginning}: {what}for {minutes} min now\n"));
            (*at, *last) = (now, text.clone());
        }
        lines
    }
}

/// A bar per host and service.
struct Bars {
    all: MultiProgress,
    bars: BTreeMap<Key, ProgressBar>,
}

impl Bars {
    fn new() -> Self {
        Self { all: MultiProgress::new(), bars: BTreeMap::new() }
    }

    fn show(&mut self, event: &Event) {
        let bar = self.bar(event);
        let step = clean(&event.step);
        match &event.happened {
            Happened::Began => {
                bar.reset_elapsed();
                bar.enable_steady_tick(TICK);
                bar.set_message(step);
            }
            Happened::Goes { what, of } => bar.set_message(format!("{step}: {}", goes(what, *of))),
            Happened::Warned(what) => {
                let line = format!("{}: {step}: warning: {}", place(event), clean(what));
                // A bar moves on; this stays above it. A terminal that is gone takes no line.
                let _ = self.all.println(line);
            }
            // Files and networks are quick and many; what remains are services.
            Happened::Done if event.service.is_none() => bar.finish_and_clear(),
            // The next step may follow; until then its time stands still.
            Happened::Done => {
                bar.disable_steady_tick();
                bar.set_message(paint(GREEN, &format!("✓ {step}")));
            }
            Happened::Failed(why) => {
                bar.abandon_with_message(paint(RED, &format!("{step}: {}", clean(&why.what))))
            }
            Happened::Skipped => bar.abandon_with_message("not begun".to_owned()),
        }
    }

    fn bar(&mut self, event: &Event) -> ProgressBar {
        let bar = self.bars.entry(key(event)).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:24} {elapsed:>4} {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(place(event));
            bar
        });
        bar.clone()
    }

    fn end(self) {
        for bar in self.bars.values().filter(|bar| !bar.is_finished()) {
            bar.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_on(what: &str) -> Event {
        Event {
            host: "lab1".parse().unwrap(),
            service: Some("alpha".parse().unwrap()),
            step: "waiting".to_owned(),
            happened: Happened::Goes { what: what.to_owned(), of: None },
        }
    }

    #[test]
    fn a_phase_that_came_too_soon_is_told_if_it_lasts() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        lines.show(&Event { happened: Happened::Began, ..goes_on("") });
        lines.last.clear();
        lines.show(&goes_on("starting"));
        assert_eq!(lines.due(start), ["lab1 · alpha: waiting: starting\n"]);
        // Loading takes a moment, compiling stays.
        lines.show(&goes_on("loading"));
        lines.show(&goes_on("compiling"));
        assert_eq!(lines.due(start + QUIET / 2), Vec::<String>::new());
        assert_eq!(lines.due(start + QUIET), ["lab1 · alpha: waiting: compiling\n"]);
        lines.show(&goes_on("compiling"));
        assert_eq!(lines.due(start + QUIET * 3), Vec::<String>::new());
        // What lasts without news is told once a minute, with what it does now.
        let later = start + QUIET + STILL;
        assert_eq!(lines.due(later), ["lab1 · alpha: waiting: compiling, for 1 min now\n"]);
        assert_eq!(lines.due(later + STILL / 2), Vec::<String>::new());
        assert_eq!(lines.due(later + STILL), ["lab1 · alpha: waiting: compiling, for 2 min now\n"]);
        // What has ended tells no more of itself.
        lines.show(&goes_on("warming up"));
        lines.show(&Event { happened: Happened::Done, ..goes_on("") });
        assert_eq!(lines.due(later + STILL * 9), Vec::<String>::new());
    }
}
