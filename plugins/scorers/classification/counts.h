// A confusion matrix's margins and what is computed from them. Definitions as in scikit-learn's
// precision_recall_fscore_support and balanced_accuracy_score, with a quotient of nothing being 0.
#pragma once

#include <map>
#include <set>
#include <string>

class Counts {
 public:
  explicit Counts(const std::set<std::string>& labels) {
    for (const auto& label : labels) add_class(label);
  }
  void add_class(const std::string& label) { classes_.try_emplace(label); }

  // A prediction that is no class counts against the true class's recall and against no precision.
  void add(const std::string& label, const std::string& predicted) {
    ++total_;
    ++classes_[label].support;
    const auto guessed = classes_.find(predicted);
    if (guessed == classes_.end()) return;
    ++num_valid_;
    ++guessed->second.predicted;
    if (predicted == label) {
      ++guessed->second.correct;
      ++num_correct_;
    }
  }

  std::map<std::string, double> metrics(const std::string& positive) const {
    std::map<std::string, double> numbers;
    numbers["accuracy"] = quotient(num_correct_, total_);
    numbers["valid_rate"] = quotient(num_valid_, total_);
    add_triple(numbers, "_micro", quotient(num_correct_, num_valid_), quotient(num_correct_, total_));
    double precision = 0, recall = 0, f1 = 0, num_classes = 0, weighted_f1 = 0, present_recall = 0,
           num_present = 0;
    for (const auto& [label, count] : classes_) {
      if (count.support + count.predicted == 0) continue;  // a class that the split does not hold
      const double class_precision = quotient(count.correct, count.predicted);
      const double class_recall = quotient(count.correct, count.support);
      add_triple(numbers, "/" + label, class_precision, class_recall);
      numbers["support/" + label] = count.support;
      if (label == positive) add_triple(numbers, "", class_precision, class_recall);
      precision += class_precision;
      recall += class_recall;
      f1 += f1_of(class_precision, class_recall);
      weighted_f1 += count.support * f1_of(class_precision, class_recall);
      present_recall += class_recall;
      num_present += count.support > 0;
      ++num_classes;
    }
    numbers["precision_macro"] = quotient(precision, num_classes);
    numbers["recall_macro"] = quotient(recall, num_classes);
    numbers["f1_macro"] = quotient(f1, num_classes);
    numbers["f1_weighted"] = quotient(weighted_f1, total_);
    numbers["balanced_accuracy"] = quotient(present_recall, num_present);
    if (!positive.empty() && numbers.count("f1") == 0) add_triple(numbers, "", 0, 0);
    return numbers;
  }

 private:
  struct Class {
    double support = 0, predicted = 0, correct = 0;
  };

  static double quotient(double part, double whole) { return whole > 0 ? part / whole : 0; }
  static double f1_of(double precision, double recall) {
    return quotient(2 * precision * recall, precision + recall);
  }
  static void add_triple(std::map<std::string, double>& numbers, const std::string& suffix, double precision,
                         double recall) {
    numbers["precision" + suffix] = precision;
    numbers["recall" + suffix] = recall;
    numbers["f1" + suffix] = f1_of(precision, recall);
  }

  std::map<std::string, Class> classes_;
  double total_ = 0, num_valid_ = 0, num_correct_ = 0;
};
