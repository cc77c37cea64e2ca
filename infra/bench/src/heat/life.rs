//! What one order does to the table, key by key: an order's life of five stages with a mail on each but the first,
//! two webhooks, a fulfillment and a tracked parcel.
//!
//! The units are those that `tests/tests/units.rs` measures and ARCHITECTURE.md lists, told apart by key; a test
//! holds each use case's sum against that list. Which key takes them was read off the calls themselves.

use Place::{
    Carrier, Channel, Due, Endpoint, Flow, Governor, Line, Listing, Number, Own, Search, Settings,
    Suppressed, Tally, Template, Tried, Window,
};

/// Stages of the flow.
pub const STAGES: u8 = 5;

/// Where in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// `ORDER#…`: all that is the order's own.
    Own,
    /// `TRACK#…#…`: the parcel's number.
    Number,
    /// GSI1: the listing of a stage of the shop.
    Listing(u8),
    /// GSI2 `DUE#…`: a shard of the due index.
    Due,
    /// GSI2 `TRIED#…#…`: an endpoint's attempts.
    Tried,
    /// `FIND#…`: the shop's search.
    Search,
    /// `SHOP#…` `SETTINGS`
    Settings,
    /// `SHOP#…` `FLOW#…`
    Flow,
    /// `SHOP#…` `TEMPLATEV#…`
    Template,
    /// `SHOP#…` `ENDPOINT#…`, and `HEALTH#…` beside it.
    Endpoint,
    /// `SHOP#…` `GOVERNOR`
    Governor,
    /// `CHANNEL#…`
    Channel,
    /// `CARRIER#…`
    Carrier,
    /// `SUPPRESSED#…`: the shop's list.
    Suppressed,
    /// `MAILS#…` `W#…`: the count of ten minutes.
    Window,
    /// `MAILS#…` `T#…`: the tally of a week.
    Tally,
    /// `LINE#account`: the end of the line of all mails.
    Line,
}

/// How many orders share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// One order has it to itself.
    Order,
    /// A shop's orders share it.
    Shop,
    /// A shard's orders share it, of all shops.
    Shard,
    /// All orders of the deployment share it.
    All,
}

impl Place {
    /// Whose it is.
    pub fn whose(self) -> Whose {
        match self {
            Own | Number => Whose::Order,
            Due => Whose::Shard,
            Line => Whose::All,
            _ => Whose::Shop,
        }
    }

    /// Its partition key, in the documents' words.
    pub fn key(self) -> &'static str {
        match self {
            Own => "ORDER#{order}",
            Number => "TRACK#{shop}#{number}",
            Listing(_) => "GSI1 {shop}#{stage}",
            Due => "GSI2 DUE#{shard}",
            Tried => "GSI2 TRIED#{shop}#{endpoint}",
            Search => "FIND#{shop}",
            Settings | Flow | Template | Endpoint | Governor => "SHOP#{shop}",
            Channel => "CHANNEL#{channel}",
            Carrier => "CARRIER#{integration}",
            Suppressed => "SUPPRESSED#{shop}",
            Window | Tally => "MAILS#{shop}",
            Line => "LINE#account",
        }
    }

    /// The item below it, where it is one item that takes it all: no split of a partition divides that.
    pub fn item(self) -> &'static str {
        match self {
            Own | Number => "",
            Listing(_) | Due | Tried => "the newest end",
            Search | Suppressed => "any",
            Settings => "SETTINGS",
            Flow => "FLOW#…",
            Template => "TEMPLATEV#…",
            Endpoint => "ENDPOINT#…, HEALTH#…",
            Governor => "GOVERNOR",
            Channel | Carrier => "LOOKUP",
            Window => "W#…",
            Tally => "T#…",
            Line => "LINE",
        }
    }
}

/// Units at one place: write, then read.
#[derive(Debug, Clone, Copy)]
pub struct Touch(pub Place, pub u32, pub u32);

/// A use case, so many times in a life.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// Its row of ARCHITECTURE.md; or, where none is measured alone, what it adds to one.
    pub row: Row,
    /// How often.
    pub times: u32,
    /// What it touches.
    pub touches: &'static [Touch],
}

/// Where a use case's units come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Measured: the row's name.
    Measured(&'static str),
    /// Said by another row.
    Beside(&'static str),
}

impl Row {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured(name) | Self::Beside(name) => name,
        }
    }
}

use Row::{Beside, Measured};

/// From the notification to the delivery.
pub const LIFE: &[Use] = &[
    Use {
        row: Measured("an order is seen for the first time"),
        times: 1,
        touches: &[Touch(Own, 6, 2), Touch(Listing(0), 1, 0), Touch(Flow, 0, 1), Touch(Settings, 0, 1)],
    },
    Use {
        row: Measured("the search takes in an order: number, two names, an address"),
        times: 1,
        touches: &[Touch(Own, 2, 3), Touch(Search, 8, 0)],
    },
    Use {
        row: Measured("the same notification again"),
        times: 1,
        touches: &[Touch(Own, 0, 2), Touch(Flow, 0, 1), Touch(Settings, 0, 1)],
    },
    Use {
        row: Measured("a transition without an action"),
        times: 1,
        touches: &[
            Touch(Own, 4, 1),
            Touch(Listing(0), 1, 0),
            Touch(Listing(1), 1, 0),
            Touch(Flow, 0, 1),
            Touch(Settings, 0, 1),
        ],
    },
    Use { row: Beside("its mail's place in the due index"), times: 1, touches: &[Touch(Due, 1, 0)] },
    Use {
        row: Measured("a package is added that is to be registered"),
        times: 1,
        touches: &[
            Touch(Own, 6, 2),
            Touch(Number, 2, 2),
            Touch(Due, 1, 0),
            Touch(Flow, 0, 1),
            Touch(Settings, 0, 1),
        ],
    },
    Use {
        row: Measured("— its registration: read, claim, record"),
        times: 1,
        touches: &[
            Touch(Own, 2, 6),
            Touch(Due, 1, 0),
            Touch(Carrier, 0, 1),
            // What the tracker says already is taken in: nothing new.
            Touch(Number, 0, 1),
            Touch(Flow, 0, 1),
            Touch(Settings, 0, 1),
        ],
    },
    Use {
        row: Measured("a transition with mail, webhook and fulfillment"),
        times: 1,
        touches: &[
            Touch(Own, 6, 3),
            Touch(Listing(1), 1, 0),
            Touch(Listing(2), 1, 0),
            Touch(Due, 1, 0),
            Touch(Flow, 0, 1),
            Touch(Settings, 0, 1),
        ],
    },
    Use {
        row: Measured("— its fulfillment: lock, claim, settle, record"),
        times: 1,
        touches: &[Touch(Own, 4, 5), Touch(Channel, 0, 1), Touch(Flow, 0, 1), Touch(Settings, 0, 1)],
    },
    Use {
        row: Measured("an echo of our own fulfillment, notification 1"),
        times: 1,
        touches: &[Touch(Own, 0, 2), Touch(Flow, 0, 1), Touch(Settings, 0, 1)],
    },
    Use {
        row: Measured("an echo of our own fulfillment, notification 2"),
        times: 2,
        touches: &[Touch(Own, 0, 3), Touch(Flow, 0, 1), Touch(Settings, 0, 1)],
    },
    Use {
        row: Measured("a transition without an action"),
        times: 1,
        touches: &[
            Touch(Own, 4, 1),
            Touch(Listing(2), 1, 0),
            Touch(Listing(3), 1, 0),
            Touch(Flow, 0, 1),
            Touch(Settings, 0, 1),
        ],
    },
    Use { row: Beside("its mail's place in the due index"), times: 1, touches: &[Touch(Due, 1, 0)] },
    Use {
        row: Beside("a report that moves nothing: a delivery without the two writes of the listing"),
        times: 5,
        touches: &[Touch(Own, 6, 2), Touch(Number, 0, 1), Touch(Flow, 0, 1), Touch(Settings, 0, 1)],
    },
    Use {
        row: Measured("a delivery that advances the order"),
        times: 1,
        touches: &[
            Touch(Own, 6, 2),
            Touch(Listing(3), 1, 0),
            Touch(Listing(4), 1, 0),
            Touch(Number, 0, 1),
            Touch(Flow, 0, 1),
            Touch(Settings, 0, 1),
        ],
    },
    Use {
        row: Beside("its mail's and webhook's place in the due index, the webhook's frozen body"),
        times: 1,
        touches: &[Touch(Own, 2, 2), Touch(Due, 1, 0)],
    },
    Use {
        row: Measured("— its mail: read, claim, record"),
        times: 4,
        touches: &[
            Touch(Own, 2, 4),
            Touch(Due, 1, 0),
            Touch(Line, 1, 0),
            // The first mail of a window reads the count of the one before; what was measured was a first.
            Touch(Window, 1, 1),
            Touch(Suppressed, 0, 1),
            Touch(Template, 0, 1),
            Touch(Settings, 0, 1),
            Touch(Governor, 0, 1),
        ],
    },
    Use { row: Measured("— its mail arrived"), times: 4, touches: &[Touch(Own, 1, 1), Touch(Tally, 1, 0)] },
    Use { row: Measured("— the same told again"), times: 4, touches: &[Touch(Own, 0, 1)] },
    Use {
        row: Beside(
            "a webhook whose receiver is known to be well: the first in an hour without its two notes",
        ),
        times: 2,
        touches: &[Touch(Own, 3, 4), Touch(Tried, 1, 0), Touch(Endpoint, 0, 2)],
    },
];

/// What a life comes to: write units, read units.
pub fn whole() -> (u32, u32) {
    LIFE.iter().fold((0, 0), |(w, r), one| {
        let (write, read) = sum(one.touches);
        (w + write * one.times, r + read * one.times)
    })
}

/// Write and read units of these.
pub fn sum(touches: &[Touch]) -> (u32, u32) {
    touches.iter().fold((0, 0), |(w, r), Touch(_, write, read)| (w + write, r + read))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The rows of the table in ARCHITECTURE.md: name, write units, read units.
    fn measured() -> BTreeMap<String, (u32, u32)> {
        let text = include_str!("../../../../ARCHITECTURE.md");
        let section = text.split("## Request units").nth(1).unwrap();
        let rows = section.lines().filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            Some((cells[0].to_owned(), (cells.get(1)?.parse().ok()?, cells.get(2)?.parse().ok()?)))
        });
        rows.collect()
    }

    #[test]
    fn every_use_case_costs_at_its_keys_what_was_measured_in_all() {
        let measured = measured();
        assert!(measured.len() > 20, "{measured:?}");
        for one in LIFE {
            if let Measured(row) = one.row {
                assert_eq!(measured.get(row), Some(&sum(one.touches)), "{row}");
            }
        }
    }

    #[test]
    fn what_is_said_by_another_row_is_its_difference() {
        let measured = measured();
        let of = |part: &str| {
            let found = LIFE.iter().find(|one| matches!(one.row, Beside(name) if name.contains(part)));
            sum(found.unwrap().touches)
        };
        let (write, read) = measured["a delivery that advances the order"];
        assert_eq!(of("a report that moves nothing"), (write - 2, read));
        let (write, read) =
            measured["— its webhook, the first in an hour: read, place, claim, record, log, well"];
        assert_eq!(of("known to be well"), (write - 2, read));
        // A transition with all three has one entry in the due index and one body beside a transition with none.
        let (all, none) = (
            measured["a transition with mail, webhook and fulfillment"],
            measured["a transition without an action"],
        );
        assert_eq!(of("frozen body"), (all.0 - none.0, all.1 - none.1));
    }

    #[test]
    fn what_comes_into_an_index_leaves_it() {
        let entries = |place: Place| -> u32 {
            let of =
                |one: &Use| one.times * one.touches.iter().filter(|t| t.0 == place).map(|t| t.1).sum::<u32>();
            LIFE.iter().map(of).sum()
        };
        // Four events with a mail and one with a registration, in and out.
        assert_eq!(entries(Due), 10);
        let stages: Vec<u32> = (0..STAGES).map(|stage| entries(Listing(stage))).collect();
        assert_eq!(stages, [2, 2, 2, 2, 1], "in and out of each but the last");
    }
}
