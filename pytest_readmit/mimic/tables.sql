-- Tables of MIMIC-IV `hosp` with their own column names and types, and two that the writing needs.

CREATE TABLE patients (
    subject_id BIGINT,
    gender VARCHAR,
    anchor_age BIGINT,
    anchor_year BIGINT,
    anchor_year_group VARCHAR,
    dod VARCHAR
);

CREATE TABLE admissions (
    subject_id BIGINT,
    hadm_id BIGINT,
    admittime TIMESTAMP,
    dischtime TIMESTAMP,
    deathtime TIMESTAMP,
    admission_type VARCHAR,
    admit_provider_id VARCHAR,
    admission_location VARCHAR,
    discharge_location VARCHAR,
    insurance VARCHAR,
    language VARCHAR,
    marital_status VARCHAR,
    race VARCHAR,
    edregtime TIMESTAMP,
    edouttime TIMESTAMP,
    hospital_expire_flag BIGINT
);

CREATE TABLE diagnoses_icd (
    subject_id BIGINT,
    hadm_id BIGINT,
    seq_num BIGINT,
    icd_code VARCHAR,
    icd_version BIGINT
);

CREATE TABLE labevents (
    labevent_id BIGINT,
    subject_id BIGINT,
    hadm_id BIGINT,
    specimen_id BIGINT,
    itemid BIGINT,
    order_provider_id VARCHAR,
    charttime TIMESTAMP,
    storetime TIMESTAMP,
    value VARCHAR,
    valuenum DOUBLE,
    valueuom VARCHAR,
    ref_range_lower DOUBLE,
    ref_range_upper DOUBLE,
    flag VARCHAR,
    priority VARCHAR,
    comments VARCHAR
);

CREATE TABLE d_labitems (itemid BIGINT, label VARCHAR, fluid VARCHAR, category VARCHAR);

CREATE TABLE d_icd_diagnoses (icd_code VARCHAR, icd_version BIGINT, long_title VARCHAR);

-- What each drawn lab and diagnosis is written down as.
CREATE TABLE lab (place BIGINT, itemid BIGINT, uom VARCHAR, low DOUBLE, high DOUBLE);

CREATE TABLE code (place BIGINT, icd9 VARCHAR, icd10 VARCHAR);
