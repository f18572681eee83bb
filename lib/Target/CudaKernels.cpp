//===- CudaKernels.cpp - kernels as constants of a module -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each kernel is compiled on its own: the PTX that --dump-dir writes is the text that ships.
//
//===----------------------------------------------------------------------===//
#include "lib/Target/CudaKernels.h"
#include "lib/Target/PtxAssembler.h"
#include "runtime/CudaKernel.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace bochner {

static bool isKernel(const Function &function) {
  return !function.isDeclaration() && function.getCallingConv() == CallingConv::PTX_Kernel;
}

static std::string typeName(const Argument &argument) {
  if (argument.hasByValAttr())
    return "bytes";
  Type *type = argument.getType();
  if (type->isPointerTy())
    return "pointer";
  std::string text;
  raw_string_ostream(text) << *type;
  return text == "float" ? "f32" : text == "double" ? "f64" : text == "half" ? "f16" : text == "bfloat" ? "bf16" : text;
}

static GpuKernel describe(const Function &function) {
  GpuKernel kernel;
  kernel.name = function.getName().str();
  const DataLayout &layout = function.getParent()->getDataLayout();
  for (const Argument &argument : function.args()) {
    Type *type = argument.hasByValAttr() ? argument.getParamByValType() : argument.getType();
    kernel.parameterTypes.push_back(typeName(argument));
    kernel.parameterSizes.push_back(uint32_t(layout.getTypeAllocSize(type)));
  }
  SmallVector<StringRef> sizes;
  function.getFnAttribute("nvvm.reqntid").getValueAsString().split(sizes, ',', -1, /*KeepEmpty=*/false);
  for (size_t i = 0; i < 3; ++i)
    if (i >= sizes.size() || sizes[i].trim().getAsInteger(10, kernel.requiredBlock[i]))
      kernel.requiredBlock[i] = sizes.empty() ? 0 : 1;
  return kernel;
}

/// A copy of the module with one of its kernels.
static std::unique_ptr<Module> extract(const Module &kernels, StringRef name) {
  std::unique_ptr<Module> single = CloneModule(kernels);
  for (Function &function : make_early_inc_range(*single))
    if (isKernel(function) && function.getName() != name)
      function.eraseFromParent();
  return single;
}

mlir::FailureOr<std::vector<GpuKernel>> compileKernels(const Module &kernels, const GpuCodeOptions &options,
                                                       mlir::Location location) {
  std::optional<GpuChip> chip = options.chips.empty() ? std::nullopt : findGpuChip(options.chips.front());
  if (!chip)
    return mlir::emitError(location) << "expected chip " << describeGpuChips() << ", but got '"
                                     << (options.chips.empty() ? "" : options.chips.front()) << "'";
  std::string ptxas = options.device == "cuda" ? findPtxas(options.ptxas) : "";
  std::vector<GpuKernel> result;
  for (const Function &function : kernels) {
    if (!isKernel(function))
      continue;
    GpuKernel kernel = describe(function);
    mlir::FailureOr<std::string> ptx = emitPtx(extract(kernels, kernel.name), *chip, location);
    if (failed(ptx))
      return mlir::failure();
    kernel.ptx = std::move(*ptx);
    for (const std::string &target : options.chips) {
      if (ptxas.empty())
        break;
      mlir::FailureOr<std::string> cubin = assemblePtx(ptxas, kernel.ptx, target, location);
      if (failed(cubin))
        return mlir::failure();
      kernel.cubins.push_back({target, std::move(*cubin)});
    }
    result.push_back(std::move(kernel));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Dumps
//===----------------------------------------------------------------------===//

static json::Array toJson(ArrayRef<uint32_t> numbers) {
  json::Array array;
  for (uint32_t number : numbers)
    array.push_back(number);
  return array;
}

static json::Object toJson(const GpuKernel &kernel) {
  json::Array parameters;
  for (auto [type, size] : zip_equal(kernel.parameterTypes, kernel.parameterSizes))
    parameters.push_back(json::Object{{"type", type}, {"size", size}});
  return json::Object{{"kernel", kernel.name},
                      {"file", kernel.name + ".ptx"},
                      {"entry", kernel.name},
                      {"block", kernel.requiredBlock[0] ? json::Value(toJson(kernel.requiredBlock)) : nullptr},
                      {"parameters", std::move(parameters)}};
}

/// One kernel a line; the last lines are what runtime/LaunchDump.cpp looks for.
static std::string launchFile(ArrayRef<GpuKernel> kernels, const GpuCodeOptions &options) {
  std::string text;
  raw_string_ostream stream(text);
  stream << "{\n\"chip\": " << json::Value(options.chips.front()) << ",\n\"kernels\": [";
  for (const GpuKernel &kernel : kernels)
    stream << (&kernel == kernels.begin() ? "\n  " : ",\n  ") << json::Value(toJson(kernel));
  stream << "\n],\n\"calls\": [\n]\n}\n";
  return text;
}

static std::error_code writeFile(StringRef folder, const Twine &name, StringRef content) {
  SmallString<128> path(folder);
  if (std::error_code error = sys::fs::create_directories(path))
    return error;
  sys::path::append(path, name);
  std::error_code error;
  raw_fd_ostream file(path, error);
  if (error)
    return error;
  file << content;
  file.close();
  error = file.error();
  file.clear_error();
  return error;
}

mlir::LogicalResult dumpKernels(ArrayRef<GpuKernel> kernels, const GpuCodeOptions &options, mlir::Location location) {
  std::error_code error = writeFile(options.dumpDir, "launch.json", launchFile(kernels, options));
  for (const GpuKernel &kernel : kernels)
    if (!error)
      error = writeFile(options.dumpDir, kernel.name + ".ptx", kernel.ptx);
  if (error)
    return mlir::emitError(location) << "cannot write kernels to '" << options.dumpDir << "': " << error.message();
  return mlir::success();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

namespace {
class ConstantWriter {
public:
  explicit ConstantWriter(Module &host) : host(host), context(host.getContext()) {}
  Constant *word(uint64_t value, unsigned bits = 32) {
    return ConstantInt::get(IntegerType::get(context, bits), value);
  }
  GlobalVariable *add(Constant *value, const Twine &name,
                      GlobalValue::LinkageTypes linkage = GlobalValue::PrivateLinkage) {
    return new GlobalVariable(host, value->getType(), /*isConstant=*/true, linkage, value, name);
  }
  /// bochner_cuda_image_t
  Constant *image(StringRef bytes, StringRef chip, bool isPtx) {
    GlobalVariable *data = add(ConstantDataArray::getString(context, bytes, /*AddNull=*/true), "bochner.cuda.image");
    data->setAlignment(Align(16));
    StringRef digits = chip;
    unsigned capability = 0;
    digits.consume_front("sm_");
    digits.consumeInteger(10, capability);
    return ConstantStruct::getAnon(
        context, {data, word(bytes.size(), 64), word(capability), word(isPtx, 16), word(digits == "a", 16)});
  }

  Module &host;
  LLVMContext &context;
};
} // namespace

void addKernelConstant(Module &host, const GpuKernel &kernel, const GpuCodeOptions &options) {
  ConstantWriter writer(host);
  SmallVector<Constant *> images;
  for (const auto &[chip, cubin] : kernel.cubins)
    images.push_back(writer.image(cubin, chip, /*isPtx=*/false));
  images.push_back(writer.image(kernel.ptx, options.chips.front(), /*isPtx=*/true));
  static_assert(sizeof(bochner_cuda_image_t) == 24 && sizeof(bochner_cuda_kernel_t) == 48);
  auto *type = ArrayType::get(images.front()->getType(), images.size());
  Constant *members[] = {
      writer.word(BOCHNER_CUDA_KERNEL_VERSION),
      writer.word(images.size()),
      writer.add(ConstantDataArray::getString(writer.context, kernel.name), "bochner.cuda.name"),
      writer.add(ConstantArray::get(type, images), "bochner.cuda.images"),
      writer.add(ConstantDataArray::get(writer.context, ArrayRef<uint32_t>(kernel.parameterSizes)),
                 "bochner.cuda.parameters"),
      writer.word(kernel.parameterSizes.size()),
      writer.word(kernel.requiredBlock[0]),
      writer.word(kernel.requiredBlock[1]),
      writer.word(kernel.requiredBlock[2]),
  };
  Constant *value = ConstantStruct::getAnon(writer.context, members);
  std::string name = "bochner.cuda." + kernel.name;
  GlobalVariable *declared = host.getNamedGlobal(name);
  GlobalVariable *defined = writer.add(value, declared ? "" : name, GlobalValue::ExternalLinkage);
  if (!declared)
    return;
  declared->replaceAllUsesWith(defined);
  defined->takeName(declared);
  declared->eraseFromParent();
}

} // namespace bochner
