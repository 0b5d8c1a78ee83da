//! A printed form as data, and its division into A4 sheets.
//!
//! The sheets are made here and not by the browser: then the head of a table, the seal's place and “第 N 页 共 M 页”
//! stand on every sheet whatever prints it. Chromium knows page numbers in margins since version 131, Firefox does
//! not, and the office PCs that still run Windows 7 end with version 109.
//!
//! Heights are reckoned from the number of lines, with characters taken a little wider than any font has them, and
//! `static/forms.css` sets the line heights in millimetres that stand here. So a sheet may keep a finger's
//! breadth free, but nothing falls off it. All lengths are tenths of a millimetre.

/// A printed form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paper {
    /// What stands above it: 签到表.
    pub(crate) title: String,
    /// 学校名称, 学校标识码, 制表日期 and what else is said at the top.
    pub(crate) head: Vec<(String, String)>,
    /// 填表人, 审核人 … with what is known; an empty one is filled in by hand.
    pub(crate) hands: Vec<(String, String)>,
    /// 数据截止 and the rules, at the foot of every sheet.
    pub(crate) foot: Vec<(String, String)>,
    /// Lying, 297 mm wide.
    pub(crate) wide: bool,
    /// A QR picture (SVG) beside the seal; empty = none.
    pub(crate) picture: String,
    /// What it says, from top to bottom.
    pub(crate) grids: Vec<Grid>,
}

/// A table, or a block of boxes with labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grid {
    /// Heading above it.
    pub(crate) caption: String,
    /// Its columns.
    pub(crate) columns: Vec<Column>,
    /// Whether the columns' names stand above it, on each sheet anew.
    pub(crate) headed: bool,
    /// Small type, for tables of many columns.
    pub(crate) dense: bool,
    /// Hangs on the table above it without a gap.
    pub(crate) joined: bool,
    /// Stands on one sheet whole, with those beside it that do: what one person signs is not torn apart.
    pub(crate) whole: bool,
    /// Its rows.
    pub(crate) rows: Vec<Row>,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// What it is called.
    pub(crate) name: String,
    /// Its share of the width.
    pub(crate) share: u32,
    /// What stands in it.
    pub(crate) is: Is,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    /// Words.
    Words,
    /// Short words in the middle.
    Short,
    /// Numbers.
    Number,
    /// Labels of the boxes beside them.
    Label,
}

/// A row of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// One text a column; `\n` begins a new line.
    pub(crate) cells: Vec<String>,
    /// At least this high.
    pub(crate) least: Least,
}

/// The least height of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Least {
    /// One line of print.
    #[default]
    Line,
    /// Room to sign one's name by hand.
    Name,
    /// Room to write some lines by hand.
    Some,
}

impl Least {
    const fn height(self) -> u32 {
        match self {
            Least::Line => 0,
            Least::Name => 82,
            Least::Some => 200,
        }
    }

    /// The class in `forms.css`.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Least::Line => "",
            Least::Name => "name",
            Least::Some => "some",
        }
    }
}

/// One sheet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheet {
    /// Tables, or the parts of them that stand here.
    pub(crate) grids: Vec<Grid>,
}

/// Height and width of what stands between head and foot.
const PORTRAIT: (u32, u32) = (2970 - MARGINS, 1820);
const LANDSCAPE: (u32, u32) = (2100 - MARGINS, 2730);
/// Above and below on the sheet.
const MARGINS: u32 = 120 + 100;
/// The title, and a line of the head.
const TITLE: u32 = 110;
const HEAD_LINE: u32 = 50;
/// The place for names and seal; the line of cut-off, rules and page number.
const SEAL: u32 = 270;
const FOOT_LINE: u32 = 42;
/// A heading with the space above it.
const CAPTION: u32 = 86;
/// Between two tables.
const GAP: u32 = 20;
/// Above and below the text of a cell, with its line.
const CELL: u32 = 19;
/// Left and right of it.
const SIDES: u32 = 26;

/// Size of type: width of a Chinese character, and height of a line.
#[derive(Clone, Copy)]
struct Type {
    em: u32,
    line: u32,
}

const PLAIN: Type = Type { em: 34, line: 46 };
const DENSE: Type = Type { em: 25, line: 33 };

impl Grid {
    /// A table with named columns.
    pub(crate) fn table(columns: &[(&str, u32, Is)]) -> Grid {
        let column = |(name, share, is): &(&str, u32, Is)| Column {
            name: (*name).to_owned(),
            share: *share,
            is: *is,
        };
        Grid {
            columns: columns.iter().map(column).collect(),
            headed: true,
            ..Grid::default()
        }
    }

    /// Boxes with labels, so many beside each other.
    pub(crate) fn boxes(across: usize, facts: &[(&str, String)]) -> Grid {
        let across = across.clamp(1, 4);
        // Labels stand below those of `prose`.
        let shares = [84, 36, 20, 12];
        let pair = [("", 12, Is::Label), ("", shares[across - 1], Is::Words)];
        let columns: Vec<_> = std::iter::repeat_n(pair, across).flatten().collect();
        let row = |facts: &[(&str, String)]| {
            let mut cells: Vec<String> = facts
                .iter()
                .flat_map(|(label, value)| [(*label).to_owned(), value.clone()])
                .collect();
            cells.resize(across * 2, String::new());
            Row {
                cells,
                least: Least::Line,
            }
        };
        Grid {
            rows: facts.chunks(across).map(row).collect(),
            headed: false,
            ..Grid::table(&columns)
        }
    }

    /// Long texts with their labels at the left.
    pub(crate) fn prose(texts: &[(&str, String, Least)]) -> Grid {
        let row = |(label, text, least): &(&str, String, Least)| Row {
            cells: vec![(*label).to_owned(), text.clone()],
            least: *least,
        };
        Grid {
            rows: texts.iter().map(row).collect(),
            headed: false,
            ..Grid::table(&[("", 12, Is::Label), ("", 84, Is::Words)])
        }
    }

    /// The same with a heading.
    pub(crate) fn under(self, caption: &str) -> Grid {
        Grid {
            caption: caption.to_owned(),
            ..self
        }
    }

    /// The same, hanging on the table above.
    pub(crate) fn joined(self) -> Grid {
        Grid { joined: true, ..self }
    }

    /// The same, never torn apart.
    pub(crate) fn whole(self) -> Grid {
        Grid { whole: true, ..self }
    }

    /// A column's width in hundredths of a per cent, for the attribute of `col`.
    pub(crate) fn percent(&self, column: &Column) -> String {
        let all: u32 = self.columns.iter().map(|c| c.share).sum();
        let share = column.share * 10_000 / all.max(1);
        format!("{}.{:02}%", share / 100, share % 100)
    }

    /// The cells of a row with their columns.
    pub(crate) fn cells<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a Column, &'a String)> {
        self.columns.iter().zip(&row.cells)
    }

    fn letters(&self) -> Type {
        if self.dense { DENSE } else { PLAIN }
    }

    fn empty(&self) -> Grid {
        Grid {
            caption: String::new(),
            rows: Vec::new(),
            columns: self.columns.clone(),
            ..*self
        }
    }

    /// How wide the text of a column is.
    fn width(&self, column: &Column, whole: u32) -> u32 {
        let all: u32 = self.columns.iter().map(|c| c.share).sum();
        (whole * column.share / all.max(1)).saturating_sub(SIDES)
    }

    /// Whether no line of a column begins with “，” or ends with “（”, as printers have it. In a narrow one that would
    /// cost whole lines.
    fn flows(&self, column: &Column, whole: u32) -> bool {
        self.width(column, whole) >= 12 * self.letters().em
    }

    /// How wide the text of each column is at least.
    fn widths(&self, whole: u32) -> Vec<u32> {
        let width = |c: &Column| {
            // Two marks may go to the next line with the character before them.
            let moved = if self.flows(c, whole) {
                2 * self.letters().em
            } else {
                0
            };
            self.width(c, whole) - moved
        };
        self.columns.iter().map(width).collect()
    }

    /// Lines and height of a row.
    fn height(&self, cells: &[String], least: Least, whole: u32) -> (usize, u32) {
        let letters = self.letters();
        let widths = self.widths(whole);
        let lines = cells
            .iter()
            .zip(widths)
            .map(|(text, width)| lines(text, width, letters.em).len())
            .max()
            .unwrap_or(1);
        let text = u32::try_from(lines)
            .unwrap_or(u32::MAX)
            .saturating_mul(letters.line);
        (lines, text.saturating_add(CELL).max(least.height()))
    }

    /// Height of all of it.
    fn all(&self, whole: u32) -> u32 {
        let rows: u32 = self
            .rows
            .iter()
            .map(|row| self.height(&row.cells, row.least, whole).1)
            .sum();
        let caption = if self.caption.is_empty() { 0 } else { CAPTION };
        caption + self.head_height(whole) + GAP + rows
    }

    fn head_height(&self, whole: u32) -> u32 {
        if !self.headed {
            return 0;
        }
        let names: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
        self.height(&names, Least::Line, whole).1
    }

    /// Divides a row that is too high: the first so many lines, and the rest under the same label.
    fn divide(&self, row: Row, first: usize, whole: u32) -> (Row, Row) {
        let em = self.letters().em;
        let (mut above, mut below) = (Row::default(), Row::default());
        for ((text, width), column) in row.cells.iter().zip(self.widths(whole)).zip(&self.columns) {
            let all = lines(text, width, em);
            let at = all.get(first).map_or(text.len(), |line| line.0);
            let (head, tail) = text.split_at(at);
            above.cells.push(head.trim_end_matches('\n').to_owned());
            below.cells.push(match column.is {
                Is::Label if !text.is_empty() => format!("{text}（续）"),
                _ => tail.to_owned(),
            });
        }
        (above, below)
    }
}

/// Width of a character in hundredths of the width of a Chinese one; no font that schools have is wider.
fn width(c: char) -> u32 {
    match c {
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 98,
        'A'..='Z' => 78,
        'a'..='z' | '0'..='9' | '#' | '+' | '=' => 60,
        ' '..='~' => 52,
        _ => 100,
    }
}

/// Where each line of a text begins and ends when it is broken at any character.
fn lines(text: &str, room: u32, em: u32) -> Vec<(usize, usize)> {
    let room = room.max(em) * 100;
    let mut all = Vec::new();
    let (mut begin, mut used) = (0, 0);
    for (at, c) in text.char_indices() {
        if c == '\n' {
            all.push((begin, at));
            (begin, used) = (at + 1, 0);
            continue;
        }
        let wide = width(c) * em;
        if used + wide > room && at > begin {
            all.push((begin, at));
            (begin, used) = (at, 0);
        }
        used += wide;
    }
    all.push((begin, text.len()));
    all
}

impl Paper {
    fn size(&self) -> (u32, u32) {
        if self.wide { LANDSCAPE } else { PORTRAIT }
    }

    /// Whether lines in a column break as in a book.
    pub(crate) fn flows(&self, grid: &Grid, column: &Column) -> bool {
        grid.flows(column, self.size().1)
    }

    /// The height between head and foot.
    fn room(&self) -> u32 {
        let (height, width) = self.size();
        let of = |parts: &[(String, String)]| {
            let text: Vec<String> = parts
                .iter()
                .map(|(label, value)| format!("{label}：{value}　　"))
                .collect();
            u32::try_from(lines(&text.concat(), width, PLAIN.em).len()).unwrap_or(1)
        };
        // The page number needs a line's end of its own beside the foot.
        let foot = (of(&self.foot) + 1) * FOOT_LINE;
        height.saturating_sub(TITLE + of(&self.head) * HEAD_LINE + SEAL + foot)
    }

    /// The sheets of it, at least one.
    pub(crate) fn sheets(&self) -> Vec<Sheet> {
        let (room, (_, whole)) = (self.room(), self.size());
        let mut done: Vec<Sheet> = Vec::new();
        let mut sheet = Sheet::default();
        let mut left = room;
        for (at, grid) in self.grids.iter().enumerate() {
            let head = grid.head_height(whole);
            let together: u32 = self
                .grids
                .iter()
                .skip(at)
                .take_while(|g| g.whole)
                .map(|g| g.all(whole))
                .sum();
            if together > left && together <= room {
                done.push(std::mem::take(&mut sheet));
                left = room;
            }
            let mut begun: Option<Grid> = None;
            let mut rows: Vec<Row> = grid.rows.iter().rev().cloned().collect();
            if rows.is_empty() && grid.headed {
                rows.push(Row {
                    cells: vec![String::new(); grid.columns.len()],
                    least: Least::Name,
                });
            }
            let mut caption = grid.caption.as_str();
            while let Some(row) = rows.pop() {
                let (count, high) = grid.height(&row.cells, row.least, whole);
                let before = match &begun {
                    Some(_) => 0,
                    None => head + GAP + if caption.is_empty() { 0 } else { CAPTION },
                };
                if before + high <= left {
                    let grid = begun.get_or_insert_with(|| Grid {
                        caption: std::mem::take(&mut caption).to_owned(),
                        ..grid.empty()
                    });
                    grid.rows.push(row);
                    left -= before + high;
                    continue;
                }
                // A long text goes on overleaf; what is short moves there whole.
                let letters = grid.letters();
                let fitting = left.saturating_sub(before + CELL) / letters.line;
                let fitting = usize::try_from(fitting).unwrap_or(0);
                let fresh = left == room;
                if (high > room / 3 && fitting >= 4 && fitting < count) || (fresh && count > 1) {
                    let (above, below) = grid.divide(row, fitting.clamp(1, count - 1), whole);
                    rows.push(below);
                    let grid = begun.get_or_insert_with(|| Grid {
                        caption: std::mem::take(&mut caption).to_owned(),
                        ..grid.empty()
                    });
                    grid.rows.push(above);
                } else if fresh {
                    // Higher than a sheet in one line: there is no such row, but there must be an end.
                    let grid = begun.get_or_insert_with(|| grid.empty());
                    grid.rows.push(row);
                } else {
                    rows.push(row);
                }
                sheet.grids.extend(begun.take());
                done.push(std::mem::take(&mut sheet));
                left = room;
            }
            sheet.grids.extend(begun);
        }
        if !sheet.grids.is_empty() || done.is_empty() {
            done.push(sheet);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paper(rows: Vec<Row>) -> Paper {
        Paper {
            title: "签到表".into(),
            head: vec![("学校名称".into(), "云溪县石桥镇中心小学".into())],
            foot: vec![("数据截止".into(), "2026-01-10".into())],
            grids: vec![Grid {
                rows,
                ..Grid::table(&[
                    ("序号", 1, Is::Number),
                    ("姓名", 2, Is::Short),
                    ("备注", 6, Is::Words),
                ])
            }],
            ..Paper::default()
        }
    }

    fn row(cells: [&str; 3], least: Least) -> Row {
        Row {
            cells: cells.map(str::to_owned).to_vec(),
            least,
        }
    }

    fn texts(sheets: &[Sheet], column: usize) -> String {
        let rows = sheets.iter().flat_map(|s| &s.grids).flat_map(|g| &g.rows);
        rows.map(|r| r.cells[column].as_str()).collect()
    }

    #[test]
    fn forty_names_take_two_sheets_and_each_has_the_head_of_the_table() {
        let rows: Vec<Row> = (1..=40)
            .map(|n| row([&n.to_string(), "㙇𬭊", ""], Least::Name))
            .collect();
        let sheets = paper(rows).sheets();
        assert_eq!(sheets.len(), 2);
        assert!(
            sheets
                .iter()
                .all(|s| s.grids[0].headed && s.grids[0].columns.len() == 3)
        );
        assert_eq!(sheets.iter().map(|s| s.grids[0].rows.len()).sum::<usize>(), 40);
    }

    #[test]
    fn a_long_text_goes_on_overleaf_under_its_label_and_loses_nothing() {
        let text: String = (0..6000)
            .map(|n| char::from_u32(0x4e00 + n % 2000).unwrap())
            .collect();
        let mut paper = paper(Vec::new());
        paper.grids = vec![Grid::prose(&[("教学过程", text.clone(), Least::Some)])];
        let sheets = paper.sheets();
        assert!(sheets.len() > 2, "{}", sheets.len());
        assert_eq!(texts(&sheets, 1), text);
        assert_eq!(sheets[1].grids[0].rows[0].cells[0], "教学过程（续）");
    }

    #[test]
    fn nothing_to_say_is_one_sheet_with_the_head_of_the_table() {
        let sheets = paper(Vec::new()).sheets();
        assert_eq!((sheets.len(), sheets[0].grids[0].rows.len()), (1, 1));
        assert_eq!(Paper::default().sheets().len(), 1);
    }

    proptest! {
        #[test]
        fn all_rows_come_in_their_order_and_no_sheet_is_too_high(
            rows in proptest::collection::vec(("[a-zA-Z0-9 ]{0,40}", "[一-龥]{0,700}\n?[一-龥]{0,20}", 0u8..3), 0..60),
            wide in any::<bool>(), dense in any::<bool>(),
        ) {
            let least = |n| [Least::Line, Least::Name, Least::Some][usize::from(n)];
            let rows: Vec<Row> = rows.iter().map(|(a, b, n)| row(["", a, b], least(*n))).collect();
            let mut paper = paper(rows.clone());
            paper.wide = wide;
            paper.grids[0].dense = dense;
            let sheets = paper.sheets();
            let (room, (_, whole)) = (paper.room(), paper.size());
            for sheet in &sheets {
                let high: u32 = sheet.grids.iter().map(|g| {
                    let rows: u32 = g.rows.iter().map(|r| g.height(&r.cells, r.least, whole).1).sum();
                    rows + g.head_height(whole) + GAP
                }).sum();
                prop_assert!(high <= room, "{high} > {room}");
            }
            for column in 1..3 {
                let all: String = rows.iter().map(|r| r.cells[column].replace('\n', "")).collect();
                prop_assert_eq!(texts(&sheets, column).replace('\n', ""), all);
            }
        }
    }
}
