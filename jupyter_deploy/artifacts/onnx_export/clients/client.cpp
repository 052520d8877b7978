// Answers the rows of a table: client model.onnx OUTPUT rows.tsv [needs ONNX Runtime's C++ interface]
#include <onnxruntime_cxx_api.h>
#include <fstream>
#include <iostream>
#include <sstream>

int main(int, char** words) {
  Ort::Env environment;
  Ort::Session session(environment, words[1], Ort::SessionOptions());
  Ort::AllocatorWithDefaultOptions allocator;
  std::ifstream file(words[3]);
  std::vector<std::vector<std::string>> rows;
  for (std::string line, cell; std::getline(file, line);) {
    rows.emplace_back();
    for (std::istringstream cells(line + '\t'); std::getline(cells, cell, '\t');) rows.back().push_back(cell);
  }
  rows.erase(rows.begin());  // the names of the columns
  std::vector<std::string> names;
  std::vector<Ort::Value> feeds;
  for (size_t input = 0, first = 0; input < session.GetInputCount(); input++) {
    auto type = session.GetInputTypeInfo(input);
    auto kind = type.GetTensorTypeAndShapeInfo();
    int64_t shape[] = {(int64_t)rows.size(), kind.GetShape()[1]};
    names.push_back(session.GetInputNameAllocated(input, allocator).get());
    feeds.push_back(Ort::Value::CreateTensor(allocator, shape, 2, kind.GetElementType()));
    for (size_t row = 0, at = 0; row < rows.size(); row++)
      for (size_t column = first; column < first + shape[1]; column++, at++)
        if (kind.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING)
          feeds.back().FillStringTensorElement(rows[row][column].c_str(), at);
        else
          feeds.back().GetTensorMutableData<double>()[at] = std::strtod(rows[row][column].c_str(), nullptr);
    first += shape[1];
  }
  std::vector<const char*> inputs;
  for (auto& name : names) inputs.push_back(name.c_str());
  auto answers = session.Run(Ort::RunOptions(), inputs.data(), feeds.data(), feeds.size(), words + 2, 1);
  auto kind = answers[0].GetTensorTypeAndShapeInfo();
  size_t width = kind.GetElementCount() / rows.size();
  std::cout.precision(17);
  for (size_t at = 0; at < kind.GetElementCount(); at++) {
    switch (kind.GetElementType()) {
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING: std::cout << answers[0].GetStringTensorElement(at); break;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: std::cout << answers[0].GetTensorData<int64_t>()[at]; break;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: std::cout << answers[0].GetTensorData<float>()[at]; break;
      default: std::cout << answers[0].GetTensorData<double>()[at];
    }
    std::cout << (at % width + 1 < width ? '\t' : '\n');
  }
}
