"""The diagnoses that invented patients have: real ICD codes, and how often each is coded."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """
    One diagnosis.

    Args:
        title: Its name.
        icd9: ICD-9-CM code, used for discharges before October 2015.
        icd10: ICD-10-CM code, used since.
        odds: Log-odds of having it at average burden (or severity) and the age of 60.
        burden: Change of these with one standard deviation of burden (of severity, if acute).
        age: Change of these with ten years of age.
        weight: What it adds to the Charlson index.
    """

    title: str
    icd9: str
    icd10: str
    odds: float
    burden: float
    age: float = 0.0
    weight: int = 0


# Carried from stay to stay; the first two follow from the patient's own glucose and kidneys.
CHRONIC = (
    Diagnosis("Type 2 diabetes mellitus without complications", "25000", "E119", 0.0, 0.0, weight=1),
    Diagnosis("Chronic kidney disease, unspecified", "5859", "N189", 0.0, 0.0, weight=2),
    Diagnosis("Essential hypertension", "4019", "I10", -0.2, 0.2, 0.3),
    Diagnosis("Hyperlipidaemia, unspecified", "2724", "E785", -0.6, 0.1, 0.3),
    Diagnosis("Congestive heart failure", "4280", "I509", -2.3, 0.9, 0.4, 1),
    Diagnosis("Atrial fibrillation", "42731", "I4891", -2.2, 0.5, 0.6),
    Diagnosis("Coronary atherosclerosis of native artery", "41401", "I2510", -1.7, 0.4, 0.4),
    Diagnosis("Old myocardial infarction", "412", "I252", -2.9, 0.6, 0.3, 1),
    Diagnosis("Chronic airway obstruction", "496", "J449", -2.3, 0.7, 0.2, 1),
    Diagnosis("Peripheral vascular disease", "4439", "I739", -3.0, 0.7, 0.3, 1),
    Diagnosis("Senile dementia, uncomplicated", "2900", "F0390", -4.5, 0.2, 1.0, 1),
    Diagnosis("Cirrhosis of liver without alcohol", "5715", "K7460", -3.7, 0.8, 0.0, 1),
    Diagnosis("Hepatic encephalopathy", "5722", "K7290", -4.8, 1.0, 0.0, 2),
    Diagnosis("Malignant neoplasm of breast", "1749", "C50919", -3.2, 0.3, 0.1, 2),
    Diagnosis("Secondary malignant neoplasm of lung", "1970", "C7800", -4.4, 0.9, 0.1, 6),
    Diagnosis("Human immunodeficiency virus disease", "042", "B20", -5.0, 0.3, -0.3, 6),
    Diagnosis("Depressive disorder", "311", "F329", -1.6, 0.2),
    Diagnosis("Anxiety state", "30000", "F419", -1.9, 0.1, -0.1),
    Diagnosis("Oesophageal reflux", "53081", "K219", -1.2, 0.2),
    Diagnosis("Hypothyroidism", "2449", "E039", -2.1, 0.1, 0.2),
    Diagnosis("Obesity, unspecified", "27800", "E669", -1.9, 0.2, -0.1),
    Diagnosis("Obstructive sleep apnoea", "32723", "G4733", -2.4, 0.3),
    Diagnosis("Personal history of tobacco use", "V1582", "Z87891", -0.9, 0.3),
    Diagnosis("Long-term use of anticoagulants", "V5861", "Z7901", -2.2, 0.4, 0.4),
    Diagnosis("Gout", "2749", "M109", -2.8, 0.3, 0.2),
    Diagnosis("Asthma", "49390", "J45909", -2.4, 0.1, -0.2, 1),
)
# Of one stay; the first is coded where nothing else is.
ACUTE = (
    Diagnosis("Chest pain, unspecified", "78650", "R079", -2.0, -0.3),
    Diagnosis("Acute kidney failure", "5849", "N179", -1.9, 0.9, 0.2),
    Diagnosis("Urinary tract infection", "5990", "N390", -2.2, 0.4, 0.3),
    Diagnosis("Pneumonia, organism unspecified", "486", "J189", -2.5, 0.6, 0.2),
    Diagnosis("Unspecified septicaemia", "0389", "A419", -3.2, 1.1, 0.1),
    Diagnosis("Acute respiratory failure", "51881", "J9601", -3.1, 1.1),
    Diagnosis("Anaemia, unspecified", "2859", "D649", -1.6, 0.5),
    Diagnosis("Acute posthaemorrhagic anaemia", "2851", "D62", -2.5, 0.6),
    Diagnosis("Hyposmolality or hyponatraemia", "2761", "E871", -2.3, 0.6),
    Diagnosis("Hyperpotassaemia", "2767", "E875", -2.9, 0.6),
    Diagnosis("Hypopotassaemia", "2768", "E876", -2.5, 0.4),
    Diagnosis("Acidosis", "2762", "E872", -2.6, 0.9),
    Diagnosis("Thrombocytopenia, unspecified", "2875", "D696", -2.7, 0.6),
    Diagnosis("Constipation, unspecified", "56400", "K5900", -2.3, 0.3),
    Diagnosis("Delirium", "2930", "F05", -3.4, 0.6, 0.4),
    Diagnosis("Pressure ulcer", "70700", "L8990", -3.6, 0.8, 0.2),
)


def likelihood(diagnoses: tuple[Diagnosis, ...], burden: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Return the probability of each diagnosis, shape (diagnoses, rows)."""
    odds = np.array([[one.odds] for one in diagnoses])
    slope = np.array([[one.burden] for one in diagnoses])
    by_age = np.array([[one.age] for one in diagnoses])
    return np.asarray(1.0 / (1.0 + np.exp(-(odds + slope * burden + by_age * (age - 60.0) / 10.0))))


def charlson(has: np.ndarray) -> np.ndarray:
    """Return the Charlson index of patients, from which of `CHRONIC` they have, shape (diagnoses, rows)."""
    weights = np.array([one.weight for one in CHRONIC])
    return np.asarray(weights @ has.astype(np.int64))
