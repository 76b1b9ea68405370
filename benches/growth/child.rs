//! A process for each size: it opens one installation and measures as it is told, a line for a line.

use std::cell::Cell;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use gatepost::config::Folder;
use gatepost::gate::dialect::Dialect;
use hyper::StatusCode;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand_distr::{Distribution as _, Uniform, Zipf};

use crate::people::Credentials;
use crate::world::{Ask, Caches, Log, Opened, config};

/// Given to this program when it is to be such a process.
pub(crate) const FLAG: &str = "--child";

/// How many questions are made before they are asked, without the time that takes being counted.
const BATCH: usize = 500;
/// An odd number that no power of ten shares a factor with: it scatters the most wanted users over the database.
const SCATTER: u64 = 2_654_435_761;

/// The other end of it.
pub(crate) struct Child {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What the process has open.
struct Work {
    opened: Opened,
    ask: Option<Ask>,
    credentials: Option<Credentials>,
    random: StdRng,
}

impl Child {
    /// Opens the installation in this folder, with the policies in `folder/policies` if there are any. Without a question
    /// its users are asked for, as they are chosen.
    pub(crate) fn start(folder: &Path, question: Option<&Ask>, caches: Caches) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(FLAG).arg(folder).arg(if caches == Caches::Off { "off" } else { "on" });
        if let Some(ask) = question {
            let header = |name: &str| Ok(ask.headers.get(name).context("a question has it")?.to_str()?.to_owned());
            let texts: Vec<String> = ["x-original-method", "x-original-uri", "authorization"]
                .into_iter()
                .map(header)
                .collect::<Result<_>>()?;
            command.args(texts);
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().context("it has a standard input")?;
        let output = BufReader::new(process.stdout.take().context("it has a standard output")?);
        Ok(Self { process, input, output })
    }

    /// What it answers to a command: numbers.
    pub(crate) fn ask(&mut self, command: &str) -> Result<Vec<f64>> {
        writeln!(self.input, "{command}")?;
        self.input.flush()?;
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "the process that measures has ended: `{command}`");
        line.split_whitespace().map(|number| Ok(number.parse()?)).collect()
    }

    /// The only number that it answers.
    pub(crate) fn number(&mut self, command: &str) -> Result<f64> {
        self.ask(command)?.first().copied().context("expected a number")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The process itself: `folder`, whether there are caches, and the question, if it is always the same.
#[expect(clippy::print_stdout, reason = "its answers are read by the process that started it")]
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [folder, caches, question @ ..] = arguments else { bail!("expected a folder") };
    let folder = Path::new(folder);
    let mut config = config(folder, Log::Off, if caches == "off" { Caches::Off } else { Caches::On });
    config.policy.policies = Folder::Usual(folder.join("policies"));
    config.policy.schema = Folder::Usual(folder.join("schema"));
    let began = Instant::now();
    let opened = Opened::new(&config)?;
    let open_ms = millis(began.elapsed());
    let ask = match question {
        [method, target, credential] => {
            let key = credential.strip_prefix("Bearer ").context("a key is sent as a bearer token")?;
            Some(Ask::new(Dialect::Nginx, method, target, Some(key), StatusCode::OK)?)
        }
        _ => None,
    };
    let credentials = if ask.is_some() { None } else { Some(Credentials::open(folder)?) };
    let mut work = Work { opened, ask, credentials, random: StdRng::seed_from_u64(1) };
    for line in std::io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["opened"] => vec![open_ms],
            ["reload"] => vec![work.reload()?],
            ["memory"] => vec![memory_mib("self")?],
            ["warm", millis] => vec![work.for_a_while(Duration::from_millis(millis.parse()?), true)?],
            ["cold", millis] => vec![work.for_a_while(Duration::from_millis(millis.parse()?), false)?],
            ["everybody"] => {
                let users = work.users()?;
                let next = Cell::new(0);
                work.mixed(usize::try_from(users)?, |_| next.replace((next.get() + 1) % users))?
            }
            ["uniform", count] => {
                let among = Uniform::new(0, work.users()?)?;
                work.mixed(count.parse()?, |random| among.sample(random))?
            }
            ["zipf", exponent, count] => {
                let users = work.users()?;
                let ranks = Zipf::new(users as f64, exponent.parse()?)?;
                work.mixed(count.parse()?, |random| (ranks.sample(random) as u64).wrapping_mul(SCATTER) % users)?
            }
            _ => bail!("`{line}` is nothing that can be measured"),
        };
        let numbers: Vec<String> = answer.iter().map(f64::to_string).collect();
        println!("{}", numbers.join(" "));
    }
    Ok(())
}

impl Work {
    /// Milliseconds that it takes to read the policies again.
    fn reload(&self) -> Result<f64> {
        let began = Instant::now();
        self.opened.app.reload_policies()?;
        Ok(millis(began.elapsed()))
    }

    /// Nanoseconds for each answer to the one question.
    fn for_a_while(&self, duration: Duration, is_warm: bool) -> Result<f64> {
        let ask = self.ask.as_ref().context("there is no question")?;
        if is_warm {
            ask.warm(&self.opened)?;
        } else {
            ask.check(ask.blocking(&self.opened))?;
        }
        let (began, mut asked) = (Instant::now(), 0_u32);
        while began.elapsed() < duration {
            // The clock is looked at after each cold one, which takes long enough.
            for _ in 0..if is_warm { 100 } else { 1 } {
                let status = match is_warm {
                    true => black_box(ask).now(&self.opened),
                    false => Some(black_box(ask).blocking(&self.opened)),
                };
                ask.check(black_box(status).context("the caches were to be warm")?)?;
                asked += 1;
            }
        }
        Ok(began.elapsed().as_secs_f64() * 1e9 / f64::from(asked))
    }

    /// Nanoseconds for each answer, and which part of the answers the caches did not have, if `choose` says who asks.
    fn mixed(&mut self, count: usize, choose: impl Fn(&mut StdRng) -> u64) -> Result<Vec<f64>> {
        let (mut spent, mut missed) = (Duration::ZERO, 0_u32);
        for _ in 0..count.div_ceil(BATCH) {
            let users: Vec<u64> = (0..BATCH).map(|_| choose(&mut self.random)).collect();
            let asks: Vec<Ask> = users.into_iter().map(|user| self.asked_by(user)).collect::<Result<_>>()?;
            let began = Instant::now();
            for ask in &asks {
                // As a server does: first what the caches can do.
                let status = match black_box(ask).now(&self.opened) {
                    Some(status) => status,
                    None => {
                        missed += 1;
                        ask.blocking(&self.opened)
                    }
                };
                ask.check(black_box(status))?;
            }
            spent += began.elapsed();
        }
        let asked = (count.div_ceil(BATCH) * BATCH) as f64;
        Ok(vec![spent.as_secs_f64() * 1e9 / asked, f64::from(missed) / asked])
    }

    fn users(&self) -> Result<u64> {
        Ok(self.credentials.as_ref().context("there are no users")?.count as u64)
    }

    /// A user restarts a device of the user's application: allowed.
    fn asked_by(&self, user: u64) -> Result<Ask> {
        let credentials = self.credentials.as_ref().context("there are no users")?;
        let (key, application) = credentials.get(usize::try_from(user)?)?;
        let target = format!("/applications/{application}/devices/7/actions/restart");
        Ask::new(Dialect::Nginx, "POST", &target, Some(&key), StatusCode::OK)
    }
}

/// The resident memory of a process, by its number or `self`.
pub(crate) fn memory_mib(process: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the system tells no memory")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1_024.0)
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
