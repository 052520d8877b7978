// Answers the rows of a table: java -cp onnxruntime.jar Client.java model.onnx OUTPUT rows.tsv [needs onnxruntime]
import ai.onnxruntime.*;
import java.lang.reflect.Array;
import java.nio.file.*;
import java.util.*;
import java.util.stream.*;

public class Client {
  public static void main(String[] words) throws Exception {
    var environment = OrtEnvironment.getEnvironment();
    var session = environment.createSession(words[0], new OrtSession.SessionOptions());
    var rows = Files.readAllLines(Path.of(words[2])).stream().skip(1).map(line -> line.split("\t", -1)).toList();
    var feeds = new HashMap<String, OnnxTensor>();
    int first = 0;
    for (var input : session.getInputInfo().values()) { // each takes its columns from the left
      var info = (TensorInfo) input.getInfo();
      int from = first, to = first + (int) info.getShape()[1];
      var texts = rows.stream().map(row -> Arrays.copyOfRange(row, from, to)).toArray(String[][]::new);
      Object cells = info.type == OnnxJavaType.STRING ? texts : Stream.of(texts)
          .map(row -> Stream.of(row).mapToDouble(Double::parseDouble).toArray()).toArray(double[][]::new);
      feeds.put(input.getName(), OnnxTensor.createTensor(environment, cells));
      first = to;
    }
    Object answers = session.run(feeds, Set.of(words[1])).get(0).getValue();
    for (int row = 0; row < rows.size(); row++) {
      Object answer = Array.get(answers, row);
      System.out.println(!answer.getClass().isArray() ? answer : IntStream.range(0, Array.getLength(answer))
          .mapToObj(at -> String.valueOf(Array.get(answer, at))).collect(Collectors.joining("\t")));
    }
  }
}
