// The choice of the instruction set: the environment may lower it, and is refused otherwise.
#include "cpu/isa.h"

#include "check.h"

namespace longsight::test {
namespace {

void TestChoice() {
  const std::vector<const cpu::OpTable*> available = cpu::AvailableIsas();
  Check(std::string(available.back()->name) == "portable", "portable is always there");
  std::string error;
  Check(cpu::ChooseIsa(available, nullptr, &error) == available.front(), "unset means the best");
  Check(cpu::ChooseIsa(available, "", &error) == available.front(), "empty means the best");
  for (const cpu::OpTable* table : available) {
    Check(cpu::ChooseIsa(available, table->name, &error) == table,
          std::string(table->name) + " can be asked for");
  }
  Check(error.empty(), "no error for what is there");
  Check(cpu::ChooseIsa(available, "sse9", &error) == nullptr, "an unknown name is refused");
  Check(error.find("LONGSIGHT_ISA=sse9") != std::string::npos &&
            error.find("portable") != std::string::npos,
        "the message names the variable and what can be set: " + error);
  error.clear();
  Check(cpu::ChooseIsa({available.back()}, "avx512", &error) == nullptr,
        "one that the CPU lacks is refused");
  Check(error.find("not supported by this CPU") != std::string::npos,
        "the message says so: " + error);
}

void TestSelected() {
  const char* wanted = std::getenv("LONGSIGHT_ISA");
  if (wanted == nullptr || *wanted == '\0') {
    Check(cpu::SelectIsa().empty(), "no error without the variable");
    Check(std::string(cpu::IsaName()) == cpu::AvailableIsas().front()->name,
          "the best is selected");
  } else if (cpu::SelectIsa().empty()) {
    Check(std::string(cpu::IsaName()) == wanted, "the wanted one is selected");
  } else {
    Check(std::string(cpu::IsaName()) == "none", "nothing is selected after an error");
  }
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::TestChoice();
  longsight::test::TestSelected();
  return longsight::test::Result("isa_test");
}
