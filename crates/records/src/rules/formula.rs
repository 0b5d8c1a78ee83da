//! Conditions on the numbers of a subject: `trainees <= seats`, `abs(a * b - c) <= 10`, joined by `and`.
//!
//! Whole numbers only. A name is a constant of the rule file or a number of the subject; what is not
//! known leaves the condition open, and it says which number is missing.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::filter::OneOrMany;
use super::schema::yes;

/// A condition of a rule set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Populations that it holds for. Without any it is about the file's own numbers, and must hold when it is read.
    #[serde(rename = "for", default)]
    pub population: OneOrMany,
    /// The condition.
    pub expr: Formula,
    /// Whether it must be met.
    #[serde(default = "yes")]
    pub hard: bool,
}

/// How a condition stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not hold.
    Fails,
    /// These numbers are not known.
    Open(Vec<String>),
}

/// A condition as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    /// As it is written in the file.
    pub text: String,
    clauses: Vec<(Term, Sign, Term)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Less,
    AtMost,
    Equal,
    NotEqual,
    AtLeast,
    More,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Number(i64),
    Name(String),
    Abs(Box<Term>),
    Sum(Box<Term>, Box<Term>),
    Difference(Box<Term>, Box<Term>),
    Product(Box<Term>, Box<Term>),
}

impl Formula {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Formula, String> {
        let refused = |what: &str| format!("“{text}” is no condition: {what}");
        if text.len() > 400 {
            return Err(refused("it is too long"));
        }
        let tokens = tokens(text).ok_or_else(|| refused("a sign is not known"))?;
        let mut reader = Reader {
            tokens: &tokens,
            at: 0,
            deep: 0,
        };
        let mut clauses = Vec::new();
        loop {
            let clause = reader.clause().ok_or_else(|| refused("it does not read"))?;
            clauses.push(clause);
            match reader.next() {
                None => break,
                Some("and") => {}
                Some(_) => return Err(refused("something is left over")),
            }
        }
        Ok(Formula {
            text: text.to_owned(),
            clauses,
        })
    }

    /// The names in it.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for (left, _, right) in &self.clauses {
            left.names(&mut names);
            right.names(&mut names);
        }
        names
    }

    /// Whether it holds. A part that fails decides, whatever else is unknown.
    pub fn holds(&self, known: &dyn Fn(&str) -> Option<i64>) -> Verdict {
        let mut open = BTreeSet::new();
        for (left, sign, right) in &self.clauses {
            match (left.value(known), right.value(known)) {
                (Some(left), Some(right)) if sign.holds(left, right) => {}
                (Some(_), Some(_)) => return Verdict::Fails,
                _ => {
                    let mut names = BTreeSet::new();
                    left.names(&mut names);
                    right.names(&mut names);
                    open.extend(names.into_iter().filter(|name| known(name).is_none()));
                    // Nothing is missing, so a product was too large for any real number of people.
                    if open.is_empty() {
                        return Verdict::Fails;
                    }
                }
            }
        }
        if open.is_empty() {
            Verdict::Holds
        } else {
            Verdict::Open(open.into_iter().map(str::to_owned).collect())
        }
    }
}

impl<'de> Deserialize<'de> for Formula {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Formula::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Sign {
    fn holds(self, left: i128, right: i128) -> bool {
        match self {
            Sign::Less => left < right,
            Sign::AtMost => left <= right,
            Sign::Equal => left == right,
            Sign::NotEqual => left != right,
            Sign::AtLeast => left >= right,
            Sign::More => left > right,
        }
    }
}

impl Term {
    fn value(&self, known: &dyn Fn(&str) -> Option<i64>) -> Option<i128> {
        let both = |left: &Term, right: &Term| left.value(known).zip(right.value(known));
        match self {
            Term::Number(number) => Some(i128::from(*number)),
            Term::Name(name) => known(name).map(i128::from),
            Term::Abs(term) => term.value(known)?.checked_abs(),
            Term::Sum(left, right) => both(left, right).and_then(|(l, r)| l.checked_add(r)),
            Term::Difference(left, right) => both(left, right).and_then(|(l, r)| l.checked_sub(r)),
            Term::Product(left, right) => both(left, right).and_then(|(l, r)| l.checked_mul(r)),
        }
    }

    fn names<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Term::Number(_) => {}
            Term::Name(name) => {
                names.insert(name);
            }
            Term::Abs(term) => term.names(names),
            Term::Sum(left, right) | Term::Difference(left, right) | Term::Product(left, right) => {
                left.names(names);
                right.names(names);
            }
        }
    }
}

fn tokens(text: &str) -> Option<Vec<&str>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|char: char| !char.is_alphanumeric() && char != '_')
                .unwrap_or(rest.len())
        } else if ["<=", ">=", "==", "!="].iter().any(|sign| rest.starts_with(sign)) {
            2
        } else if "<>+-*()".contains(first) {
            1
        } else {
            return None;
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    Some(tokens)
}

struct Reader<'a> {
    tokens: &'a [&'a str],
    at: usize,
    deep: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn clause(&mut self) -> Option<(Term, Sign, Term)> {
        let left = self.sum()?;
        let sign = match self.next()? {
            "<" => Sign::Less,
            "<=" => Sign::AtMost,
            "==" => Sign::Equal,
            "!=" => Sign::NotEqual,
            ">=" => Sign::AtLeast,
            ">" => Sign::More,
            _ => return None,
        };
        Some((left, sign, self.sum()?))
    }

    fn sum(&mut self) -> Option<Term> {
        let mut sum = self.product()?;
        while let Some(sign @ ("+" | "-")) = self.peek() {
            self.at += 1;
            let right = Box::new(self.product()?);
            sum = match sign {
                "+" => Term::Sum(Box::new(sum), right),
                _ => Term::Difference(Box::new(sum), right),
            };
        }
        Some(sum)
    }

    fn product(&mut self) -> Option<Term> {
        let mut product = self.atom()?;
        while self.peek() == Some("*") {
            self.at += 1;
            product = Term::Product(Box::new(product), Box::new(self.atom()?));
        }
        Some(product)
    }

    fn atom(&mut self) -> Option<Term> {
        match self.next()? {
            "abs" if self.peek() == Some("(") => {
                self.at += 1;
                Some(Term::Abs(Box::new(self.inside()?)))
            }
            "(" => self.inside(),
            "and" => None,
            word => {
                let first = word.chars().next()?;
                if first.is_ascii_digit() {
                    word.parse().ok().map(Term::Number)
                } else if first.is_alphabetic() {
                    Some(Term::Name(word.to_owned()))
                } else {
                    None
                }
            }
        }
    }

    /// What stands in parentheses, after the first of them.
    fn inside(&mut self) -> Option<Term> {
        self.deep += 1;
        let inside = if self.deep <= 20 { self.sum()? } else { return None };
        self.deep -= 1;
        (self.next()? == ")").then_some(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdict(text: &str) -> Verdict {
        let known = |name: &str| match name {
            "trainees" => Some(25),
            "seats" => Some(30),
            "学员" => Some(7),
            "huge" => Some(i64::MAX),
            _ => None,
        };
        Formula::parse(text).unwrap().holds(&known)
    }

    #[test]
    fn conditions_are_worked_out_in_whole_numbers() {
        for text in [
            "80 * 25 == 2000",
            "abs(133 * 30 - 4000) <= 10",
            "trainees <= seats",
            "trainees == 25 and seats != 25 and seats > trainees",
            "2 + 3 * 4 == 14",
            "(2 + 3) * 4 >= 20",
            "10 - 2 - 3 == 5",
            "学员 * 2 < 15",
        ] {
            assert_eq!(verdict(text), Verdict::Holds, "{text}");
        }
        for text in [
            "trainees > seats",
            "1 == 1 and 1 == 2",
            "abs(133 * 30 - 4000) < 10",
        ] {
            assert_eq!(verdict(text), Verdict::Fails, "{text}");
        }
    }

    #[test]
    fn an_unknown_number_is_named_and_does_not_hide_a_failure() {
        assert_eq!(
            verdict("mentors == 3 and hosts == 1 and trainees <= 30"),
            Verdict::Open(vec!["hosts".into(), "mentors".into()])
        );
        assert_eq!(verdict("mentors == 3 and trainees > 30"), Verdict::Fails);
        assert_eq!(verdict("huge * huge * huge > 1"), Verdict::Fails);
    }

    #[test]
    fn what_does_not_read_is_refused() {
        for text in [
            "",
            "trainees",
            "1 <",
            "< 1",
            "1 < 2 < 3",
            "1 / 2 == 0",
            "(1 == 1",
            "1 == 1 and",
            "and == and",
            "1 = 1",
            "99999999999999999999 > 1",
            "7x == 7",
        ] {
            assert!(Formula::parse(text).is_err(), "{text}");
        }
        let deep = format!("{}1{} == 1", "(".repeat(150), ")".repeat(150));
        assert!(Formula::parse(&deep).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z0-9 <>=!+*()-]{0,60}|\\PC{0,30}") {
            if let Ok(formula) = Formula::parse(&text) {
                let _ = formula.holds(&|_| Some(i64::MIN));
            }
        }
    }
}
