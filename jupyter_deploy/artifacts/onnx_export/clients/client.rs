// Answers the rows of a table: cargo run -- model.onnx OUTPUT rows.tsv [needs the crate ort]
use ort::{session::Session, tensor::TensorElementType, value::{DynValue, Tensor}};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().collect();
    let mut session = Session::builder()?.commit_from_file(&words[1])?;
    let text = std::fs::read_to_string(&words[3])?;
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let (mut feeds, mut first): (Vec<(String, DynValue)>, usize) = (Vec::new(), 0);
    for input in &session.inputs {
        let width = input.input_type.tensor_shape().ok_or("no tensor")?[1] as usize; // its columns, from the left
        let cells: Vec<&str> = rows.iter().flat_map(|row| row[first..first + width].iter().copied()).collect();
        let shape = [rows.len(), width];
        let value = if input.input_type.tensor_type() == Some(TensorElementType::String) {
            Tensor::from_string_array((shape, cells.as_slice()))?.into_dyn()
        } else {
            let numbers = cells.iter().map(|cell| cell.parse()).collect::<Result<Vec<f64>, _>>()?;
            Tensor::from_array((shape, numbers))?.into_dyn()
        };
        feeds.push((input.name.clone(), value));
        first += width;
    }
    let answers = session.run(feeds)?;
    let answer = &answers[words[2].as_str()];
    let values: Vec<String> = if let Ok((_, values)) = answer.try_extract_tensor::<f64>() {
        values.iter().map(f64::to_string).collect()
    } else if let Ok((_, values)) = answer.try_extract_tensor::<f32>() {
        values.iter().map(f32::to_string).collect()
    } else if let Ok((_, values)) = answer.try_extract_tensor::<i64>() {
        values.iter().map(i64::to_string).collect()
    } else {
        answer.try_extract_strings()?.1
    };
    values.chunks(values.len() / rows.len()).for_each(|row| println!("{}", row.join("\t")));
    Ok(())
}
