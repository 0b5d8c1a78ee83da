//! Small programs to read and run: `cargo run -p yanxiu-examples --example county`.

use std::time::Duration;

use node::office::TeacherInput;

pub mod process;
pub mod visitor;

/// Prose about professional learning that the dictionary is trained on, beside generated records.
pub const TRAINING: &str = include_str!("texts/training.txt");

/// Words of other subjects. Neither the training nor the sample county has seen them: what is measured is
/// measured on these.
pub const UNSEEN: &str = include_str!("texts/unseen.txt");

/// What a measurement has to show. All is measured and printed to its end; then it fails, naming each figure that was
/// missed.
#[derive(Debug, Default)]
pub struct Asked(Vec<String>);

impl Asked {
    /// Asks for one thing; `what` says it as it should be.
    pub fn that(&mut self, met: bool, what: impl Into<String>) {
        if !met {
            let what = what.into();
            println!("  MISSED: {what}");
            self.0.push(what);
        }
    }

    /// Whether all was met.
    ///
    /// # Errors
    /// Everything that was missed.
    pub fn end(self) -> Result<(), Box<dyn std::error::Error>> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(format!("missed: {}", self.0.join("; ")).into()),
        }
    }
}

/// What `percent` of the times do not exceed; they are in ascending order.
pub fn at(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((sorted.len() * percent / 100).min(last))
        .copied()
        .unwrap_or_default()
}

/// Milliseconds as they are printed.
pub fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same texts on every machine.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// One of a list; empty for an empty list.
    pub fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.get(self.below(list.len())).copied().unwrap_or_default()
    }
}

/// A note of about `chars` Chinese characters out of the words of a text, with a comma now and then.
pub fn note(random: &mut Random, text: &str, chars: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut out = String::new();
    let mut count = 0;
    while count < chars {
        let word = random.pick(&words);
        count += word.chars().count();
        out.push_str(word);
        if random.below(4) == 0 {
            out.push('，');
            count += 1;
        }
    }
    out
}

/// A teacher as most are, the `n`th of a school: with a code of her own and a name of three characters.
pub fn teacher(n: usize) -> TeacherInput {
    let name = format!("欧阳{}", char::from_u32(0x4E00 + 37 * n as u32).unwrap_or('㙇'));
    TeacherInput {
        from: "2016-09-01".into(),
        ..yanxiu_tests::teacher_input(&name, &format!("T{n:03}"))
    }
}
