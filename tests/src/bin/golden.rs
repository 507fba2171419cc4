//! `golden [DIR]`: reads every group.
fn main() {
    let d = gradling_tests::case::folder(std::env::args().nth(1).as_deref());
    let g = gradling_tests::case::groups(&d).unwrap();
    for g in g {
        println!("{} {}", g.name, g.cases.len());
    }
}
