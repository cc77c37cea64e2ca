//! Which key of the table is hot first: orders of many shops, one of them a giant, walked through their lives, and
//! the units counted at each key. It calls nothing and judges no time; the same seed gives the same figures.

mod life;
mod line;

use std::collections::{BTreeMap, HashMap};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stagepost_dynamodb::DUE_SHARDS;

use life::{LIFE, Place, STAGES, Touch, Whose};
use line::Taken;

/// Write and read units that one partition of DynamoDB takes in a second. One item has never more than that.
const PARTITION: (f64, f64) = (1_000.0, 3_000.0);
/// Orders a second that the documents speak of.
const RATES: [u32; 3] = [10, 1_000, 100_000];
/// The rate that the keys' shares are taken at.
const MEASURED: u32 = 1_000;
/// Seconds that are walked, as long as that is no more than so many orders.
const SECONDS: u32 = 30;
const ORDERS_MAX: u32 = 100_000;
/// Shards of the due index beside the product's own, up to the most that its type holds.
const SHARDS: [u32; 4] = [8, 16, 64, 255];
/// Mails at once in the runner (two invocations of ten), and more; at a line of so many mails a second.
const AT_ONCE: [u32; 6] = [1, 5, 20, 50, 100, 500];
const PACE: u64 = 1_000;
/// Lines that share the pace, each with its part of the most of these mails.
const LINES: [u32; 4] = [1, 4, 16, 64];

/// Who has the orders.
#[derive(Debug, Clone, Copy)]
pub struct Shops {
    /// How many there are.
    pub count: u32,
    /// Of a hundred orders, the giant's. The others have what is left by Zipf's law.
    pub giant: u32,
}

/// Units of a second at one key.
#[derive(Debug, Clone, Copy, Default)]
struct Heat {
    write: u32,
    read: u32,
}

/// What each second of a window had at each key that orders share.
struct Walked {
    seconds: u32,
    keys: HashMap<(Place, u32), Vec<Heat>>,
}

/// How hot a key is: units a second on average, and in its busiest second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Hot {
    write: f64,
    read: f64,
    busiest: u32,
}

impl Hot {
    /// How full its partition is; above 1 it is throttled.
    fn fill(self) -> f64 {
        (self.write / PARTITION.0).max(self.read / PARTITION.1)
    }

    fn writes_most(self) -> bool {
        self.write / PARTITION.0 >= self.read / PARTITION.1
    }
}

/// Prints the figures of docs/scale.md.
pub fn run(shops: Shops, seed: u64) {
    let (write, read) = life::whole();
    println!("An order's life costs {write} write units and {read} read units.");
    println!("{} shops, the giant has {} % of all orders; seed {seed}.", shops.count, shops.giant);
    uses();
    let walked = RATES.map(|rate| (rate, walk(rate, shops, u32::from(DUE_SHARDS), seed)));
    keys(&walked);
    shards(shops, seed);
    lines(seed);
}

/// The life, use case by use case.
fn uses() {
    println!("\n| use case | times | write units | read units |\n| --- | ---: | ---: | ---: |");
    for one in LIFE {
        let (write, read) = life::sum(one.touches);
        println!("| {} | {} | {write} | {read} |", one.row.name(), one.times);
    }
}

/// Walks the orders of a window through their lives. What an order does may come in any second of the window: in
/// the long run each second has as much of every use case as it has new orders.
fn walk(rate: u32, shops: Shops, due_shards: u32, seed: u64) -> Walked {
    let seconds = SECONDS.min(ORDERS_MAX / rate.max(1)).max(1);
    let mut chance = StdRng::seed_from_u64(seed);
    let sizes = sizes(shops);
    let mut keys: HashMap<(Place, u32), Vec<Heat>> = HashMap::new();
    for _ in 0..rate * seconds {
        let shop = pick(&sizes, chance.random());
        let shard = chance.random_range(0..due_shards.max(1));
        for one in LIFE.iter().flat_map(|one| (0..one.times).map(move |_| one)) {
            let second = chance.random_range(0..seconds);
            for Touch(place, write, read) in one.touches {
                let of = match place.whose() {
                    Whose::Order => continue,
                    Whose::Shop => shop,
                    Whose::Shard => shard,
                    Whose::All => 0,
                };
                let all = keys.entry((*place, of)).or_insert_with(|| vec![Heat::default(); seconds as usize]);
                if let Some(heat) = all.get_mut(second as usize) {
                    heat.write += write;
                    heat.read += read;
                }
            }
        }
    }
    Walked { seconds, keys }
}

/// The shops' shares of all orders, summed up: the giant first, the others as 1, 1/2, 1/3 and so on.
fn sizes(shops: Shops) -> Vec<f64> {
    let giant = f64::from(shops.giant.min(100)) / 100.0;
    let others = || (1..shops.count).map(|rank| 1.0 / f64::from(rank));
    let whole: f64 = others().sum();
    let mut sum = giant;
    let mut sizes = vec![giant];
    sizes.extend(others().map(|size| {
        sum += (1.0 - giant) * size / whole;
        sum
    }));
    sizes
}

fn pick(sizes: &[f64], chance: f64) -> u32 {
    let shop = sizes.partition_point(|sum| *sum <= chance).min(sizes.len().saturating_sub(1));
    u32::try_from(shop).unwrap_or_default()
}

impl Walked {
    /// The hottest key among those that `part` takes together; items of one key may share a partition or have one each.
    fn hottest(&self, part: impl Fn(Place) -> bool) -> Hot {
        let mut together: BTreeMap<u32, Vec<Heat>> = BTreeMap::new();
        for ((_, of), heats) in self.keys.iter().filter(|((place, _), _)| part(*place)) {
            let sum = together.entry(*of).or_insert_with(|| vec![Heat::default(); heats.len()]);
            for (sum, heat) in sum.iter_mut().zip(heats) {
                sum.write += heat.write;
                sum.read += heat.read;
            }
        }
        let hot = together.values().map(|heats| self.hot(heats));
        hot.max_by(|a, b| a.fill().total_cmp(&b.fill())).unwrap_or_default()
    }

    fn hot(&self, heats: &[Heat]) -> Hot {
        let sum = |units: fn(&Heat) -> u32| {
            f64::from(heats.iter().map(units).sum::<u32>()) / f64::from(self.seconds)
        };
        let (write, read) = (sum(|heat| heat.write), sum(|heat| heat.read));
        let mut hot = Hot { write, read, busiest: 0 };
        let units: fn(&Heat) -> u32 = if hot.writes_most() { |heat| heat.write } else { |heat| heat.read };
        hot.busiest = heats.iter().map(units).max().unwrap_or_default();
        hot
    }
}

/// The places that orders share. Of the listings one stands for all inner stages, which are alike: in and out.
fn shared() -> Vec<Place> {
    let mut places: Vec<Place> = LIFE.iter().flat_map(|one| one.touches).map(|touch| touch.0).collect();
    places.retain(|place| place.whose() != Whose::Order);
    places.retain(|place| !matches!(place, Place::Listing(stage) if *stage != STAGES / 2));
    places.sort_unstable();
    places.dedup();
    places
}

/// Each item and, where a key has several, the key as a whole; what is full at the lowest rate first.
fn keys(walked: &[(u32, Walked)]) {
    println!(
        "\nThe hottest key of each kind: W write, R read units a second, and those of its busiest second.\n"
    );
    let rates: String = walked.iter().map(|(rate, _)| format!(" at {rate} orders/s |")).collect();
    println!(
        "| key | item |{rates} full at orders/s |\n| --- | --- |{} ---: |",
        " ---: |".repeat(walked.len())
    );
    let places = shared();
    let mut rows: Vec<(f64, String)> =
        places.iter().map(|place| row(walked, *place, place.item(), |p| p == *place)).collect();
    let siblings = |key: &str| places.iter().filter(|p| p.key() == key).count();
    let mut keys: Vec<Place> = places.iter().copied().filter(|p| siblings(p.key()) > 1).collect();
    keys.dedup_by_key(|place| place.key());
    rows.extend(keys.into_iter().map(|place| row(walked, place, "all of them", |p| p.key() == place.key())));
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, row) in rows {
        println!("{row}");
    }
}

/// A row of the table, with the rate that it is sorted by.
fn row(walked: &[(u32, Walked)], place: Place, item: &str, part: impl Fn(Place) -> bool) -> (f64, String) {
    let hot: Vec<(u32, Hot)> = walked.iter().map(|(rate, walked)| (*rate, walked.hottest(&part))).collect();
    let cells: Vec<String> = hot.iter().map(|(_, hot)| said(*hot)).collect();
    let full = hot
        .iter()
        .find(|(rate, _)| *rate == MEASURED)
        .map_or(f64::INFINITY, |(rate, hot)| full_at(*rate, *hot));
    (full, format!("| `{}` | {item} | {} | {full:.0} |", place.key(), cells.join(" | ")))
}

/// Heat grows with the rate: the rate at which the partition is full.
fn full_at(rate: u32, hot: Hot) -> f64 {
    f64::from(rate) / hot.fill()
}

fn said(hot: Hot) -> String {
    let (units, what) = if hot.writes_most() { (hot.write, "W") } else { (hot.read, "R") };
    format!("{units:.0} {what}, {}", hot.busiest)
}

/// How far more shards move the due index.
fn shards(shops: Shops, seed: u64) {
    println!(
        "\n| shards of the due index | write units a second of the hottest, at {MEASURED} orders/s | full at orders/s |"
    );
    println!("| ---: | ---: | ---: |");
    for count in std::iter::once(u32::from(DUE_SHARDS)).chain(SHARDS) {
        let hot = walk(MEASURED, shops, count, seed).hottest(|place| place == Place::Due);
        println!("| {count} | {:.0} | {:.0} |", hot.write, full_at(MEASURED, hot));
    }
}

/// What one line gives places to, by how many ask at once.
fn lines(seed: u64) {
    println!("\nThe line of all mails, a second, at a pace of {PACE} mails.\n");
    println!(
        "| mails at once | places given | writes lost to others | writes throttled | mails that gave up |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: |");
    for at_once in AT_ONCE {
        let Taken { places, lost, throttled, gave_up } = line::play(at_once, PACE, seed);
        println!("| {at_once} | {places:.0} | {lost:.0} | {throttled:.0} | {gave_up:.1} |");
    }
    let most = AT_ONCE.into_iter().max().unwrap_or_default();
    println!(
        "\n| lines, for {most} mails at once | places given | writes lost to others |\n| ---: | ---: | ---: |"
    );
    for lines in LINES {
        let Taken { places, lost, .. } = line::play(most / lines, PACE / u64::from(lines), seed);
        println!("| {lines} | {:.0} | {:.0} |", places * f64::from(lines), lost * f64::from(lines));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOPS: Shops = Shops { count: 50, giant: 30 };

    #[test]
    fn the_giant_has_its_share_and_the_others_what_is_left() {
        let sizes = sizes(SHOPS);
        assert_eq!(sizes.len(), 50);
        assert!((sizes[0] - 0.3).abs() < 1e-9 && (sizes[49] - 1.0).abs() < 1e-9, "{sizes:?}");
        assert!(sizes.is_sorted());
        assert_eq!((pick(&sizes, 0.0), pick(&sizes, 0.299), pick(&sizes, 0.301)), (0, 0, 1));
        assert_eq!(pick(&sizes, 0.999_999_999_9), 49);
    }

    #[test]
    fn each_key_has_the_units_of_the_orders_that_share_it() {
        let walked = walk(20, SHOPS, 4, 7);
        let hot = |place| walked.hottest(|p| p == place);
        // Four mails of each order of the deployment.
        let line = hot(Place::Line);
        assert!((line.write - 80.0).abs() < 1e-9, "{line:?}");
        // Eight entries of each order of the giant, of whom there are about six a second.
        let search = hot(Place::Search);
        assert!((search.write / 8.0 - 6.0).abs() < 1.0, "{search:?}");
        // Ten units of each order, over four shards.
        let due = hot(Place::Due);
        assert!((50.0..58.0).contains(&due.write), "{due:?}");
        assert!(f64::from(due.busiest) >= due.write);
        assert_eq!(hot(Place::Own), Hot::default(), "an order's own key is shared by nobody");
    }

    #[test]
    fn twice_the_shards_are_full_at_twice_the_rate() {
        let full = |shards| full_at(40, walk(40, SHOPS, shards, 7).hottest(|p| p == Place::Due));
        let ratio = full(8) / full(4);
        assert!((1.7..2.3).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_partition_is_full_by_whichever_of_its_limits_comes_first() {
        let writes = Hot { write: 500.0, read: 1_000.0, busiest: 0 };
        assert!(writes.writes_most() && (full_at(100, writes) - 200.0).abs() < 1e-9);
        let reads = Hot { write: 100.0, read: 1_500.0, busiest: 0 };
        assert!(!reads.writes_most() && (full_at(100, reads) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn the_same_seed_walks_the_same_orders() {
        let hottest = |seed| walk(5, SHOPS, 4, seed).hottest(|p| p == Place::Search);
        assert_eq!(hottest(1), hottest(1));
        assert_ne!(hottest(1), hottest(2));
    }

    /// The documents speak of the life that is walked here.
    #[test]
    fn the_documents_say_what_a_life_costs() {
        let (write, read) = life::whole();
        let said = format!("{write} write units and {read} read units");
        for text in [include_str!("../../../../docs/scale.md"), include_str!("../../../../docs/cost.md")] {
            assert!(text.contains(&said), "{said}");
        }
    }
}
