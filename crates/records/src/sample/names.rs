//! Made-up names of people and places. Common surnames and given names, combined at random: any
//! likeness to a real person is chance.

use super::random::Random;

/// Surnames with rough weights per thousand.
const SURNAMES: [(&str, usize); 60] = [
    ("王", 72),
    ("李", 71),
    ("张", 68),
    ("刘", 54),
    ("陈", 45),
    ("杨", 31),
    ("赵", 23),
    ("黄", 22),
    ("周", 21),
    ("吴", 20),
    ("徐", 17),
    ("孙", 15),
    ("胡", 14),
    ("朱", 13),
    ("高", 12),
    ("林", 11),
    ("何", 11),
    ("郭", 11),
    ("马", 11),
    ("罗", 9),
    ("梁", 8),
    ("宋", 8),
    ("郑", 8),
    ("谢", 7),
    ("韩", 7),
    ("唐", 7),
    ("冯", 7),
    ("于", 6),
    ("董", 6),
    ("萧", 6),
    ("程", 6),
    ("曹", 6),
    ("袁", 5),
    ("邓", 5),
    ("许", 5),
    ("傅", 5),
    ("沈", 5),
    ("曾", 5),
    ("彭", 5),
    ("吕", 5),
    ("苏", 4),
    ("卢", 4),
    ("蒋", 4),
    ("蔡", 4),
    ("贾", 4),
    ("丁", 4),
    ("魏", 4),
    ("薛", 4),
    ("叶", 4),
    ("阎", 4),
    ("余", 4),
    ("潘", 4),
    ("杜", 4),
    ("戴", 3),
    ("夏", 3),
    ("钟", 3),
    ("汪", 3),
    ("欧阳", 2),
    ("司徒", 1),
    ("上官", 1),
];

const GIVEN_MALE: [&str; 40] = [
    "伟", "强", "磊", "军", "勇", "杰", "涛", "明", "超", "刚", "平", "辉", "鹏", "华", "飞", "斌", "波",
    "宇", "浩", "凯", "建", "国", "志", "文", "德", "永", "家", "俊", "海", "松", "林", "峰", "龙", "庆",
    "春", "成", "学", "正", "祥", "毅",
];

const GIVEN_FEMALE: [&str; 40] = [
    "芳", "娜", "敏", "静", "丽", "艳", "娟", "霞", "秀", "玲", "桂", "英", "燕", "红", "梅", "兰", "慧",
    "莉", "婷", "雪", "琳", "倩", "颖", "萍", "洁", "云", "玉", "春", "晓", "文", "佳", "欣", "雨", "思",
    "梦", "若", "凤", "珍", "琴", "蓉",
];

/// A name for a person of a sex code (`1` or `2`); one in four has a single given character.
pub(super) fn person(random: &mut Random, sex: &str) -> String {
    let given: &[&str] = if sex == "1" { &GIVEN_MALE } else { &GIVEN_FEMALE };
    let mut name = surname(random);
    name += random.pick(given).copied().unwrap_or("明");
    if random.per_mille(750) {
        name += random.pick(given).copied().unwrap_or("华");
    }
    name
}

/// A surname.
pub(super) fn surname(random: &mut Random) -> String {
    random.weighted(&SURNAMES).unwrap_or("王").to_owned()
}

const TOWNSHIPS: [&str; 24] = [
    "城关镇",
    "青石镇",
    "白沙镇",
    "双河镇",
    "柳溪镇",
    "石桥镇",
    "松林镇",
    "龙潭镇",
    "马鞍镇",
    "大坪镇",
    "桐木乡",
    "竹园乡",
    "枫树乡",
    "落星乡",
    "高峰乡",
    "清水乡",
    "云台镇",
    "花桥镇",
    "茶园乡",
    "岩口乡",
    "金盆镇",
    "银山乡",
    "黄泥乡",
    "长岭乡",
];

/// Name of a township by its number; the first is the county seat.
pub(super) fn township(number: usize) -> String {
    match TOWNSHIPS.get(number) {
        Some(name) => (*name).to_owned(),
        None => format!("新{}乡", chinese(number)),
    }
}

const VILLAGES: [&str; 16] = [
    "坪上", "河湾", "石坎", "大树", "新桥", "柳林", "红土", "凉水", "岩湾", "茶山", "桃园", "高坎", "沙坝",
    "龙井", "朝阳", "团结",
];

/// Name of a village by its number.
pub(super) fn village(number: usize) -> String {
    match VILLAGES.get(number) {
        Some(name) => (*name).to_owned(),
        None => format!("{}村", chinese(number)),
    }
}

/// A number below one hundred in Chinese: 第十二中学.
pub(super) fn chinese(number: usize) -> String {
    const DIGITS: [&str; 10] = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    let digit = |at: usize| DIGITS.get(at).copied().unwrap_or("");
    match number {
        0 => "零".to_owned(),
        1..=9 => digit(number).to_owned(),
        10..=19 => format!("十{}", digit(number - 10)),
        20..=99 => format!("{}十{}", digit(number / 10), digit(number % 10)),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_chinese() {
        for (number, text) in [
            (1, "一"),
            (10, "十"),
            (12, "十二"),
            (20, "二十"),
            (99, "九十九"),
            (100, "100"),
        ] {
            assert_eq!(chinese(number), text);
        }
    }
}
