//===- RegionBody.h - the text of a feature region --------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes the operations of a region one by one. "T" stands for the element type, %rows for the number of rows.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_PROPERTY_REGIONBODY_H
#define BOCHNER_TEST_PROPERTY_REGIONBODY_H

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace bochner::test {

/// Every function returns the name of its result.
class Body {
public:
  std::string text;

  std::string fresh() { return "%v" + std::to_string(next++); }
  static std::string tile(int64_t width) { return "tensor<?x" + std::to_string(width) + "xT>"; }
  static std::string vectorType(int64_t width) { return "tensor<" + std::to_string(width) + "xT>"; }

  std::string empty(int64_t width) {
    std::string result = fresh();
    text += result + " = tensor.empty(%rows) : " + tile(width) + "\n";
    return result;
  }
  std::string number(double value) {
    std::string result = fresh();
    std::ostringstream digits;
    digits.precision(17);
    digits << std::scientific << value;
    text += result + " = arith.constant " + (std::isinf(value) ? minusInfinity() : digits.str()) + " : T\n";
    return result;
  }
  std::string filled(int64_t width, double value) {
    std::string start = number(value), target = empty(width), result = fresh();
    text += result + " = linalg.fill ins(" + start + " : T) outs(" + target + " : " + tile(width) + ") -> " +
            tile(width) + "\n";
    return result;
  }
  /// x [rows, depth] times w [depth, width].
  std::string matmul(const std::string &x, const std::string &w, int64_t depth, int64_t width) {
    std::string init = filled(width, 0), result = fresh();
    text += result + " = linalg.matmul ins(" + x + ", " + w + " : " + tile(depth) + ", tensor<" +
            std::to_string(depth) + "x" + std::to_string(width) + "xT>) outs(" + init + " : " + tile(width) + ") -> " +
            tile(width) + "\n";
    return result;
  }
  /// x [rows, depth] times w [width, depth], transposed.
  std::string matmulTransposed(const std::string &x, const std::string &w, int64_t depth, int64_t width) {
    std::string init = filled(width, 0), result = fresh();
    text += result +
            " = linalg.generic {indexing_maps = [affine_map<(n, f, d) -> (n, d)>, affine_map<(n, f, d) -> (f, d)>, "
            "affine_map<(n, f, d) -> (n, f)>], iterator_types = [\"parallel\", \"parallel\", \"reduction\"]} ins(" +
            x + ", " + w + " : " + tile(depth) + ", tensor<" + std::to_string(width) + "x" + std::to_string(depth) +
            "xT>) outs(" + init + " : " + tile(width) +
            ") {\n^bb0(%a: T, %b: T, %c: T):\n%p = arith.mulf %a, %b : T\n%s = arith.addf %c, %p : T\n"
            "linalg.yield %s : T\n} -> " +
            tile(width) + "\n";
    return result;
  }
  /// An operand of `elementwise`: of each row and column, of each column or of each row.
  struct Operand {
    std::string value;
    char kind = 't'; // t, c, r
  };
  /// out[row, column] = body(a0, a1, ...); the body yields %y.
  std::string elementwise(std::vector<Operand> operands, int64_t width, const std::string &body) {
    std::string init = empty(width), result = fresh(), maps, types, values, arguments;
    for (size_t i = 0; i < operands.size(); ++i) {
      const Operand &o = operands[i];
      maps += std::string("affine_map<(n, f) -> ") + (o.kind == 't' ? "(n, f)" : o.kind == 'c' ? "(f)" : "(n)") + ">, ";
      types += (i ? ", " : "") + (o.kind == 't' ? tile(width) : o.kind == 'c' ? vectorType(width) : "tensor<?xT>");
      values += (i ? ", " : "") + o.value;
      arguments += "%a" + std::to_string(i) + ": T, ";
    }
    text += result + " = linalg.generic {indexing_maps = [" + maps +
            "affine_map<(n, f) -> (n, f)>], iterator_types = [\"parallel\", \"parallel\"]} ins(" + values + " : " +
            types + ") outs(" + init + " : " + tile(width) + ") {\n^bb0(" + arguments + "%unused: T):\n" + body +
            "linalg.yield %y : T\n} -> " + tile(width) + "\n";
    return result;
  }
  /// Over the columns; `term` computes %t from %a.
  std::string reduce(const std::string &x, int64_t width, const std::string &combiner, const std::string &term = "") {
    double start = combiner == "addf" ? 0 : -INFINITY;
    std::string value = number(start), target = fresh(), init = fresh(), result = fresh();
    text += target + " = tensor.empty(%rows) : tensor<?xT>\n" + init + " = linalg.fill ins(" + value + " : T) outs(" +
            target + " : tensor<?xT>) -> tensor<?xT>\n" + result +
            " = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n)>], "
            "iterator_types = [\"parallel\", \"reduction\"]} ins(" +
            x + " : " + tile(width) + ") outs(" + init + " : tensor<?xT>) {\n^bb0(%a: T, %s: T):\n" + term +
            "%r = arith." + combiner + " %s, " + (term.empty() ? "%a" : "%t") +
            " : T\nlinalg.yield %r : T\n} -> tensor<?xT>\n";
    return result;
  }
  std::string op(const std::string &operation, const std::string &types) {
    std::string result = fresh();
    text += result + " = " + operation + " : " + types + "\n";
    return result;
  }

private:
  static std::string minusInfinity() { return "MINUS_INFINITY"; }
  int next = 0;
};

} // namespace bochner::test

#endif // BOCHNER_TEST_PROPERTY_REGIONBODY_H
