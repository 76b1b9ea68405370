use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_secs(1_764_000_000);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// How many waits it takes until one is the longest.
const RAMP: u64 = 11;
const LONGEST_WAITS_A_DAY: u64 = DAY.as_secs() / LONGEST_WAIT.as_secs();

/// A store of rows and a clock.
struct World {
    rows: HashMap<Digest, Throttle>,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        Self { rows: HashMap::new(), now: START }
    }

    fn put(&mut self, rows: Vec<Throttle>) {
        self.rows.extend(rows.into_iter().map(|row| (row.key, row)));
    }

    fn admit(&mut self, attempt: &mut Attempt) -> Verdict {
        let admitted = attempt.admit(self.now, |key| Ok::<_, Infallible>(self.rows.get(key).copied()));
        let Ok((verdict, rows)) = admitted;
        self.put(rows);
        verdict
    }

    fn admit_code(&mut self, attempt: &mut Attempt, user: UserId) -> Verdict {
        let admitted = attempt.admit_code(user, self.now, |key| Ok::<_, Infallible>(self.rows.get(key).copied()));
        let Ok((verdict, rows)) = admitted;
        self.put(rows);
        verdict
    }

    fn give_back(&mut self, attempt: &Attempt) {
        let Ok(rows) = attempt.give_back(|key| Ok::<_, Infallible>(self.rows.get(key).copied()));
        self.put(rows);
    }

    fn succeed(&mut self, attempt: &Attempt) {
        let Ok(rows) = attempt.succeed(self.now, |key| Ok::<_, Infallible>(self.rows.get(key).copied()));
        self.put(rows);
    }

    /// One attempt that fails if it is admitted.
    fn guess(&mut self, login: &str, client: Option<IpAddr>) -> Verdict {
        self.admit(&mut Attempt::new(login, client))
    }

    /// One attempt with the right password.
    fn sign_in(&mut self, login: &str, client: Option<IpAddr>) -> Verdict {
        let mut attempt = Attempt::new(login, client);
        let verdict = self.admit(&mut attempt);
        if verdict == Verdict::Go {
            self.succeed(&attempt);
        }
        verdict
    }

    /// Guesses from all sources, each as soon as it may, with `pause` after the n-th guess. How many guesses were made
    /// until `end`.
    fn hammer(&mut self, end: Timestamp, sources: &[(String, Option<IpAddr>)], pause: impl Fn(u64) -> Duration) -> u64 {
        let mut ready: BinaryHeap<_> =
            (0..sources.len()).map(|source| Reverse((self.now.as_micros(), source))).collect();
        let mut guesses = 0;
        while let Some(Reverse((at, source))) = ready.pop() {
            self.now = self.now.max(Timestamp::from_micros(at));
            if self.now >= end {
                break;
            }
            let (login, client) = &sources[source];
            let next = match self.guess(login, *client) {
                Verdict::Wait(wait) => self.now.plus(wait),
                Verdict::Go => {
                    guesses += 1;
                    self.now = self.now.plus(pause(guesses));
                    self.now
                }
            };
            ready.push(Reverse((next.as_micros(), source)));
        }
        guesses
    }
}

/// What an attacker knows who wants the most of one account: it asks when the account's wait is over.
fn at_the_account_s_pace(guesses: u64) -> Duration {
    if guesses < u64::from(FREE_PER_ACCOUNT) { Duration::ZERO } else { ACCOUNT_WAIT }
}

fn from_addresses(login: &str, addresses: u32) -> Vec<(String, Option<IpAddr>)> {
    (1..=addresses).map(|n| (login.to_owned(), address(n))).collect()
}

fn address(n: u32) -> Option<IpAddr> {
    Some(Ipv4Addr::from(0x0a00_0000 + n).into())
}

const ADA: &str = "ada";
const VICTIM: u32 = 5_000;

#[test]
fn five_failures_are_free_and_the_wait_then_doubles_up_to_a_quarter_of_an_hour() {
    let mut world = World::new();
    for _ in 0..FREE_PER_PAIR {
        assert_eq!(world.guess(ADA, address(1)), Verdict::Go);
    }
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900] {
        assert_eq!(world.guess(ADA, address(1)), Verdict::Go);
        let wait = Duration::from_secs(seconds);
        assert_eq!(world.guess(ADA, address(1)), Verdict::Wait(wait));
        world.now = world.now.plus(wait.saturating_sub(Duration::from_micros(1)));
        assert_eq!(world.guess(ADA, address(1)), Verdict::Wait(Duration::from_micros(1)));
        world.now = world.now.plus(Duration::from_micros(1));
    }
}

#[test]
fn one_address_guesses_little_more_than_a_hundred_passwords_of_an_account_a_day() {
    let mut world = World::new();
    let guesses = world.hammer(START.plus(DAY), &from_addresses(ADA, 1), |_| Duration::ZERO);
    assert_eq!(guesses, 110);
    let second_day = world.hammer(START.plus(2 * DAY), &from_addresses(ADA, 1), |_| Duration::ZERO);
    assert_eq!(second_day, LONGEST_WAITS_A_DAY);
}

#[test]
fn one_address_guesses_little_more_than_a_hundred_passwords_of_all_accounts_a_day() {
    let mut world = World::new();
    let sources: Vec<_> = (0..200).map(|n| (format!("user{n}"), address(1))).collect();
    let guesses = world.hammer(START.plus(DAY), &sources, |_| Duration::ZERO);
    assert!(guesses <= u64::from(FREE_PER_ADDRESS) + RAMP + LONGEST_WAITS_A_DAY, "{guesses}");
}

#[test]
fn a_thousand_addresses_guess_fewer_than_nine_thousand_passwords_of_an_account_a_day() {
    let mut world = World::new();
    let guesses = world.hammer(START.plus(DAY), &from_addresses(ADA, 1_000), at_the_account_s_pace);
    assert_eq!(guesses, 8_739);
}

#[test]
fn a_thousand_impatient_addresses_guess_no_more() {
    let mut world = World::new();
    let guesses = world.hammer(START.plus(HOUR / 6), &from_addresses(ADA, 1_000), |_| Duration::ZERO);
    assert_eq!(guesses, 159);
}

#[test]
fn whoever_has_signed_in_from_an_address_never_waits_there_because_of_others() {
    let mut world = World::new();
    assert_eq!(world.sign_in(ADA, address(VICTIM)), Verdict::Go);
    let mut attackers = from_addresses(ADA, 1_000);
    // Some share the victim's address.
    attackers.extend((0..50).map(|n| (format!("user{n}"), address(VICTIM))));
    for hour in 1..=24 {
        world.hammer(START.plus(hour * HOUR), &attackers, |_| ACCOUNT_WAIT);
        assert_eq!(world.guess(ADA, address(VICTIM)), Verdict::Go, "mistyped, hour {hour}");
        assert_eq!(world.sign_in(ADA, address(VICTIM)), Verdict::Go, "hour {hour}");
    }
}

#[test]
fn whoever_has_not_waits_for_seconds_and_no_longer_than_an_hour_after_the_attack() {
    let mut world = World::new();
    world.hammer(START.plus(DAY), &from_addresses(ADA, 1_000), at_the_account_s_pace);
    world.guess(ADA, address(1_001));
    let Verdict::Wait(wait) = world.guess(ADA, address(VICTIM)) else { panic!("the attack is not noticed") };
    assert!(wait <= ACCOUNT_WAIT);
    world.now = world.now.plus(HOUR);
    for n in VICTIM..VICTIM + FREE_PER_ACCOUNT {
        assert_eq!(world.guess(ADA, address(n)), Verdict::Go);
    }
}

#[test]
fn a_password_reset_opens_an_address_in_the_middle_of_an_attack() {
    let mut world = World::new();
    world.hammer(START.plus(HOUR), &from_addresses(ADA, 1_000), at_the_account_s_pace);
    world.guess(ADA, address(1_001));
    assert_ne!(world.guess(ADA, address(VICTIM)), Verdict::Go);
    let row = Attempt::new(ADA, address(VICTIM)).trust(world.now);
    world.put(vec![row]);
    assert_eq!(world.sign_in(ADA, address(VICTIM)), Verdict::Go);
}

#[test]
fn attempts_at_the_same_moment_are_counted_like_those_one_after_the_other() {
    let mut world = World::new();
    let mut attempts: Vec<_> = (0..1_000).map(|_| Attempt::new(ADA, address(1))).collect();
    let admitted =
        attempts.iter_mut().map(|attempt| world.admit(attempt)).filter(|verdict| *verdict == Verdict::Go).count();
    assert_eq!(admitted, 6);
}

#[test]
fn an_address_is_not_cleared_by_signing_in_to_an_account_of_one_s_own() {
    let mut world = World::new();
    world.sign_in("mallory", address(1));
    let mut guesses = 0;
    for n in 0..200 {
        guesses += u32::from(world.guess(&format!("user{n}"), address(1)) == Verdict::Go);
        assert_eq!(world.sign_in("mallory", address(1)), Verdict::Go);
    }
    assert_eq!(guesses, FREE_PER_ADDRESS + 1);
}

#[test]
fn a_right_password_without_a_code_costs_nothing_and_trusts_nobody() {
    let mut world = World::new();
    for _ in 0..4 {
        world.guess(ADA, address(1));
    }
    let before = world.rows.clone();
    for _ in 0..100 {
        let mut attempt = Attempt::new(ADA, address(1));
        assert_eq!(world.admit(&mut attempt), Verdict::Go);
        world.give_back(&attempt);
    }
    assert_eq!(world.rows, before);
}

#[test]
fn a_charge_is_given_back_without_those_of_others() {
    let mut world = World::new();
    let mut mine = Attempt::new(ADA, address(1));
    assert_eq!(world.admit(&mut mine), Verdict::Go);
    for _ in 0..2 {
        world.guess(ADA, address(1));
    }
    world.give_back(&mine);
    assert!(world.rows.values().all(|row| row.failures == 2));
    // What was deleted meanwhile is not made again.
    world.rows.clear();
    world.give_back(&mine);
    assert!(world.rows.is_empty());
}

#[test]
fn a_thief_of_the_password_with_many_addresses_tries_a_hundred_codes_a_day() {
    let mut world = World::new();
    let user = UserId::generate(START);
    assert_eq!(world.sign_in(ADA, address(VICTIM)), Verdict::Go);
    let (mut codes, mut thief) = (0, 0);
    while world.now < START.plus(DAY) {
        let mut attempt = Attempt::new(ADA, address(thief % 1_000));
        if world.admit(&mut attempt) == Verdict::Go {
            match world.admit_code(&mut attempt, user) {
                Verdict::Go => codes += 1,
                Verdict::Wait(wait) => {
                    world.give_back(&attempt);
                    world.now = world.now.plus(wait);
                }
            }
        }
        thief += 1;
    }
    assert!(codes <= u64::from(FREE_PER_SECOND_FACTOR) + RAMP + LONGEST_WAITS_A_DAY, "{codes}");
    assert!(codes > LONGEST_WAITS_A_DAY, "the thief is clumsy: {codes}");
    // And the victim's code is taken at once.
    let mut victim = Attempt::new(ADA, address(VICTIM));
    assert_eq!(world.admit(&mut victim), Verdict::Go);
    assert_eq!(world.admit_code(&mut victim, user), Verdict::Go);
}

#[test]
fn success_after_a_code_takes_back_what_was_charged_for_both() {
    let mut world = World::new();
    let user = UserId::generate(START);
    let mut attempt = Attempt::new(ADA, address(1));
    assert_eq!(world.admit(&mut attempt), Verdict::Go);
    assert_eq!(world.admit_code(&mut attempt, user), Verdict::Go);
    assert!(world.rows.values().all(|row| row.failures == 1 && !row.trusted));
    assert_eq!(world.rows.len(), 4);
    world.succeed(&attempt);
    assert!(world.rows.values().all(|row| row.failures == 0));
    assert_eq!(world.rows.values().filter(|row| row.trusted).count(), 1);
}

#[test]
fn an_unknown_client_is_limited_per_account_and_never_trusted() {
    let mut world = World::new();
    assert_eq!(world.sign_in(ADA, None), Verdict::Go);
    assert!(world.rows.values().all(|row| !row.trusted));
    let guesses = world.hammer(START.plus(DAY), &[(ADA.to_owned(), None)], |_| Duration::ZERO);
    assert_eq!(guesses, 110);
    // It shuts out nobody else's account.
    assert_eq!(world.guess("grace", None), Verdict::Go);
}

#[test]
fn all_spellings_of_a_login_and_all_addresses_of_a_client_count_as_one() {
    let key_of = |login: &str, client: &str| Attempt::new(login, Some(client.parse().unwrap())).pair;
    let ada = key_of("ada", "192.0.2.1");
    assert_eq!(key_of("ADA", "192.0.2.1"), ada);
    assert_eq!(key_of("\u{FF41}da", "::ffff:192.0.2.1"), ada);
    assert_ne!(key_of("ada", "192.0.2.2"), ada);
    assert_eq!(key_of("A@Example.com", "2001:db8::1"), key_of("a@example.com", "2001:db8::ffff:1:2:3"));
    assert_ne!(key_of("a@example.com", "2001:db8::1"), key_of("a@example.com", "2001:db8:0:1::1"));
    assert_ne!(key_of("a+b@example.com", "2001:db8::1"), key_of("a@example.com", "2001:db8::1"));
    assert_ne!(Attempt::new("ada", None).pair, ada);
}

#[test]
fn no_two_keys_are_the_same() {
    let fields: [&[&[u8]]; 6] = [&[b"a", b"bc"], &[b"ab", b"c"], &[b"abc"], &[b"abc", b""], &[b"", b"abc"], &[]];
    let keys: HashSet<_> = fields.iter().flat_map(|fields| [key(1, fields), key(2, fields)]).collect();
    assert_eq!(keys.len(), 12);
}

#[test]
fn a_clock_that_is_set_back_neither_unlocks_nor_locks_for_longer() {
    let mut world = World::new();
    world.hammer(START.plus(DAY), &from_addresses(ADA, 1), |_| Duration::ZERO);
    world.now = START.minus(365 * DAY);
    assert_eq!(world.guess(ADA, address(1)), Verdict::Wait(LONGEST_WAIT));
    world.now = world.now.plus(LONGEST_WAIT / 2);
    assert_eq!(world.guess(ADA, address(1)), Verdict::Wait(LONGEST_WAIT / 2));
    world.now = world.now.plus(LONGEST_WAIT / 2);
    assert_eq!(world.guess(ADA, address(1)), Verdict::Go);
}

fn client() -> impl Strategy<Value = Option<IpAddr>> {
    let v4 = any::<u32>().prop_map(|bits| Some(Ipv4Addr::from(bits).into()));
    let v6 = any::<u128>().prop_map(|bits| Some(Ipv6Addr::from(bits).into()));
    prop_oneof![v4, v6, Just(None)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_rhythm_of_guessing_gains_more_than_the_limits_allow(
        pauses in proptest::collection::vec((0_u64..2_000, 0_u32..3), 1..400),
    ) {
        let mut world = World::new();
        let mut guesses = [0_u64; 3];
        for (seconds, source) in pauses {
            world.now = world.now.plus(Duration::from_secs(seconds));
            while world.guess(ADA, address(source)) == Verdict::Go {
                guesses[source as usize] += 1;
            }
        }
        let longest_waits = world.now.since(START).as_secs() / LONGEST_WAIT.as_secs();
        for made in guesses {
            prop_assert!(made <= u64::from(FREE_PER_PAIR) + RAMP + longest_waits, "{made}");
        }
    }

    #[test]
    fn no_rhythm_of_many_addresses_gains_more_than_the_account_allows(
        pauses in proptest::collection::vec(0_u64..60, 1..600),
    ) {
        let mut world = World::new();
        let (mut guesses, mut source) = (0, 0);
        for seconds in pauses {
            world.now = world.now.plus(Duration::from_secs(seconds));
            while world.guess(ADA, address(source)) == Verdict::Go {
                (guesses, source) = (guesses + 1, source + 1);
            }
        }
        let waits = world.now.since(START).as_secs() / ACCOUNT_WAIT.as_secs();
        prop_assert!(guesses <= u64::from(FREE_PER_ACCOUNT) + waits, "{guesses}");
    }

    #[test]
    fn wherever_the_clock_jumps_no_wait_is_longer_than_the_longest_and_each_ends(
        jumps in proptest::collection::vec((-100_000_000_i64..100_000_000, 1_u32..40), 1..20),
    ) {
        let mut world = World::new();
        for (seconds, guesses) in jumps {
            world.now = Timestamp::from_secs(START.as_secs() + seconds);
            for _ in 0..guesses {
                if let Verdict::Wait(wait) = world.guess(ADA, address(1)) {
                    prop_assert!(wait <= LONGEST_WAIT);
                    world.now = world.now.plus(wait);
                    prop_assert_eq!(world.guess(ADA, address(1)), Verdict::Go);
                }
            }
        }
    }

    #[test]
    fn any_login_from_any_client_is_counted(login in any::<String>(), client in client()) {
        let mut world = World::new();
        let admitted = (0..100).filter(|_| world.guess(&login, client) == Verdict::Go).count();
        prop_assert_eq!(admitted, 6);
    }

    #[test]
    fn rows_as_they_may_never_be_are_survived(failures in any::<u32>(), at in any::<i64>(), now in any::<i64>()) {
        let mut world = World::new();
        world.guess(ADA, address(1));
        for row in world.rows.values_mut() {
            (row.failures, row.last_failure_at) = (failures, Timestamp::from_micros(at));
        }
        world.now = Timestamp::from_micros(now);
        if let Verdict::Wait(wait) = world.guess(ADA, address(1)) {
            prop_assert!(wait <= LONGEST_WAIT);
        }
    }
}
