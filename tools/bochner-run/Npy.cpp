//===- Npy.cpp - numpy's array format ------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The header is the text of a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
//
//===----------------------------------------------------------------------===//
#include "Npy.h"
#include "Failure.h"

#include <charconv>
#include <cstring>

namespace bochner::run {

namespace {

/// Reads the dictionary of a header. Each function skips leading blanks and fails with the name of the array.
class HeaderParser {
public:
  HeaderParser(std::string_view text, const std::string &what) : text(text), what(what) {}

  [[noreturn]] void failToParse(const char *expected) {
    fail("expected ", what, " to be a numpy array, but its header is damaged: expected ", expected);
  }
  bool accept(char c) {
    size_t start = text.find_first_not_of(" \n\t");
    text.remove_prefix(std::min(start, text.size()));
    if (text.empty() || text[0] != c)
      return false;
    text.remove_prefix(1);
    return true;
  }
  void expect(char c, const char *expected) {
    if (!accept(c))
      failToParse(expected);
  }
  std::string string() {
    char quote = accept('\'') ? '\'' : accept('"') ? '"' : '\0';
    size_t end = quote ? text.find(quote) : std::string_view::npos;
    if (end == std::string_view::npos)
      failToParse("a string");
    std::string result(text.substr(0, end));
    text.remove_prefix(end + 1);
    return result;
  }
  bool boolean() {
    for (std::string_view word : {"True", "False"}) {
      accept(' ');
      if (text.substr(0, word.size()) == word) {
        text.remove_prefix(word.size());
        return word == "True";
      }
    }
    failToParse("True or False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> result;
    expect('(', "a tuple");
    while (!accept(')')) {
      accept(' ');
      int64_t value;
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || value < 0)
        failToParse("a size");
      result.push_back(value);
      text.remove_prefix(end - text.data());
      accept('L'); // written by Python 2
      if (!accept(',')) {
        expect(')', "',' or ')'");
        break;
      }
    }
    return result;
  }

private:
  std::string_view text;
  const std::string &what;
};

struct TypeCode {
  const char *code;
  DLDataType type;
};
/// V2 is what numpy makes of the bfloat16 of ml_dtypes.
const TypeCode kTypeCodes[] = {{"f4", kF32}, {"f8", kF64}, {"f2", kF16}, {"V2", kBF16}, {"i8", kI64},
                               {"i4", kI32}, {"i2", kI16}, {"i1", kI8},  {"u8", kU64},  {"u4", kU32},
                               {"u2", kU16}, {"u1", kU8},  {"b1", kBool}};

} // namespace

NpyHeader parseNpyHeader(std::string_view bytes, const std::string &what) {
  constexpr std::string_view kMagic("\x93NUMPY", 6);
  if (bytes.substr(0, 6) != kMagic || bytes.size() < 12)
    fail("expected ", what, " to be a numpy array, but it does not begin like one");
  auto byte = [&](size_t i) { return size_t(static_cast<unsigned char>(bytes[i])); };
  size_t major = byte(6), prefix = major == 1 ? 10 : 12;
  if (major < 1 || major > 3)
    fail("expected ", what, " to be a numpy array of format version 1, 2 or 3, but got version ", major);
  size_t length = byte(8) | byte(9) << 8;
  if (major > 1)
    length |= byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - prefix)
    fail("expected ", what, " to be a numpy array, but it ends within its header");

  NpyHeader header;
  header.size = prefix + length;
  HeaderParser parser(bytes.substr(prefix, length), what);
  std::string descr;
  bool hasDescr = false, hasOrder = false, hasShape = false;
  parser.expect('{', "'{'");
  while (!parser.accept('}')) {
    std::string key = parser.string();
    parser.expect(':', "':'");
    if (key == "descr") {
      if (parser.accept('['))
        fail("expected ", what, " to be an array of numbers, but its elements are structures");
      descr = parser.string();
      hasDescr = true;
    } else if (key == "fortran_order") {
      header.fortranOrder = parser.boolean();
      hasOrder = true;
    } else if (key == "shape") {
      header.shape = parser.tuple();
      hasShape = true;
    } else {
      parser.failToParse("the keys descr, fortran_order and shape");
    }
    if (!parser.accept(',')) {
      parser.expect('}', "',' or '}'");
      break;
    }
  }
  if (!hasDescr || !hasOrder || !hasShape)
    parser.failToParse("the keys descr, fortran_order and shape");

  const TypeCode *found = nullptr;
  for (const TypeCode &known : kTypeCodes)
    if (descr.size() == 3 && descr.compare(1, 2, known.code) == 0)
      found = &known;
  if (!found || !std::strchr("<>|=", descr[0]))
    fail("expected ", what, " to be an array of numbers, but got elements of type '", descr, "'");
  header.type = found->type;
  header.byteSwapped = descr[0] == '>' && found->code[1] != '1';
  int64_t count = elementCount(header.shape), size;
  if (__builtin_mul_overflow(count, int64_t(elementSize(header.type)), &size))
    fail("an array of shape ", shapeText(header.shape), " is too large");
  header.dataBytes = size;
  return header;
}

static void swapBytes(char *data, size_t size, size_t count) {
  for (size_t i = 0; i < count; ++i, data += size)
    for (size_t low = 0, high = size - 1; low < high; ++low, --high)
      std::swap(data[low], data[high]);
}

Tensor parseNpy(std::string_view bytes, std::shared_ptr<const void> memory, const std::string &what) {
  NpyHeader header = parseNpyHeader(bytes, what);
  if (bytes.size() - header.size < header.dataBytes)
    fail("expected ", what, " to have ", header.dataBytes, " bytes of elements, but only ", bytes.size() - header.size,
         " are there");
  Tensor tensor;
  tensor.type = header.type;
  tensor.data = const_cast<char *>(bytes.data() + header.size);
  tensor.memory = std::move(memory);
  tensor.shape = header.shape;
  if (header.byteSwapped) {
    Tensor swapped = Tensor::create(header.type, header.shape);
    std::memcpy(swapped.data, tensor.data, header.dataBytes);
    swapBytes(static_cast<char *>(swapped.data), elementSize(header.type), tensor.elements());
    tensor = std::move(swapped);
  }
  if (header.fortranOrder) {
    std::vector<int64_t> reversed(header.shape.rbegin(), header.shape.rend());
    std::vector<int64_t> strides = compactStrides(reversed);
    tensor.strides.assign(strides.rbegin(), strides.rend());
  } else {
    tensor.strides = compactStrides(header.shape);
  }
  return tensor;
}

DLDataType typeInNpy(DLDataType type) { return type == kBF16 ? kF32 : type; }

std::string npyHeader(DLDataType type, const std::vector<int64_t> &shape) {
  std::string code;
  for (const TypeCode &known : kTypeCodes)
    if (known.type == type)
      code = concat(known.code[1] == '1' ? '|' : '<', known.code);
  std::string text = concat("{'descr': '", code, "', 'fortran_order': False, 'shape': (");
  for (int64_t size : shape)
    text += concat(size, ", ");
  if (shape.size() > 1)
    text.resize(text.size() - 2); // (2, 3), but (2,)
  else if (shape.size() == 1)
    text.pop_back();
  text += "), }";
  // Elements begin at a multiple of 64.
  constexpr size_t kPrefix = 10;
  size_t total = (kPrefix + text.size() + 1 + 63) / 64 * 64;
  text.append(total - kPrefix - text.size() - 1, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

} // namespace bochner::run
