-- The modelling table of 30-day readmission from the `hosp` tables of MIMIC-IV.
--
-- Expects the views patients, admissions, diagnoses_icd, labevents and d_labitems with their own column
-- names (any types: all are cast here), the table charlson_codes (see charlson.py), and the table settings
-- with one row: last_year, or NULL to take it from the data.
--
-- One row is one discharge, and all that is known of it at that moment:
--   * history looks back 365 days from admission, at stays that had ended by then; what was before the
--     records began is not seen, so that the first year has less of it;
--   * diagnoses are those coded at such stays: the codes of the stay itself are given after discharge;
--   * labs are the last result of the stay that was stored before discharge.
-- A stay is planned if its admission_type is ELECTIVE or SURGICAL SAME DAY ADMISSION; one of unknown type is
-- not. Planned stays are index admissions, but no readmissions. Observation stays count as stays. Whoever dies
-- at home within 30 days did not come back. Times are shifted by patient and the real year is known to three,
-- so an admission is taken as followed if even the latest of the years it may be in leaves 30 days within the
-- records: this depends on when it was and not on what came after it.

-- step: admissions
CREATE TABLE stays AS
WITH people AS (
    SELECT
        CAST(subject_id AS BIGINT) AS subject_id,
        CAST(gender AS VARCHAR) AS sex,
        CAST(anchor_age AS BIGINT) AS anchor_age,
        CAST(anchor_year AS BIGINT) AS anchor_year,
        CAST(left(anchor_year_group, 4) AS BIGINT) AS group_from,
        CAST(right(anchor_year_group, 4) AS BIGINT) AS group_to
    FROM patients
),
stay AS (
    SELECT
        CAST(subject_id AS BIGINT) AS subject_id,
        CAST(hadm_id AS BIGINT) AS hadm_id,
        CAST(admittime AS TIMESTAMP) AS admittime,
        CAST(dischtime AS TIMESTAMP) AS dischtime,
        CAST(edregtime AS TIMESTAMP) AS edregtime,
        CAST(admission_type AS VARCHAR) AS admission_type,
        CAST(discharge_location AS VARCHAR) AS discharge_location,
        CAST(insurance AS VARCHAR) AS insurance,
        CAST(hospital_expire_flag AS BIGINT) = 0
            AND discharge_location IS DISTINCT FROM 'DIED' AS alive
    FROM admissions
)
SELECT
    *,
    coalesce(admission_type IN ('ELECTIVE', 'SURGICAL SAME DAY ADMISSION'), false) AS planned,
    -- The real year of the shifted one, as far as it is known: the middle of the three that it may be.
    (group_from + group_to) // 2 + year(admittime) - anchor_year AS year,
    group_from + year(admittime) - anchor_year AS earliest_year,
    group_to + year(dischtime + INTERVAL 30 DAY) - anchor_year AS latest_outcome_year,
    anchor_age + year(admittime) - anchor_year AS years_old,
    lead(admittime) OVER (PARTITION BY subject_id ORDER BY admittime, hadm_id) AS next_admittime,
    count(*) OVER (
        PARTITION BY subject_id ORDER BY admittime
        RANGE BETWEEN INTERVAL 365 DAY PRECEDING AND INTERVAL 1 SECOND PRECEDING
    ) AS prior_admissions
FROM stay LEFT JOIN people USING (subject_id);

-- step: outcomes
CREATE TABLE outcomes AS
SELECT
    index_stay.hadm_id,
    count(later.hadm_id) > 0 AS came_back,
    count(later.hadm_id) FILTER (NOT later.planned) > 0 AS came_back_unplanned
FROM stays AS index_stay
LEFT JOIN stays AS later
    ON later.subject_id = index_stay.subject_id
    AND later.hadm_id <> index_stay.hadm_id
    AND later.admittime >= index_stay.dischtime
    AND later.admittime <= index_stay.dischtime + INTERVAL 30 DAY
GROUP BY index_stay.hadm_id;

-- step: exclusions
CREATE TABLE screened AS
WITH observed AS (
    -- Records reach the last year that a group of patients names, and the earliest that an admission can
    -- have been in: one less than it seems, as a shifted new year may lie between dates of one real year.
    SELECT coalesce(
        (SELECT last_year FROM settings), max(greatest(group_to, earliest_year - 1))
    ) AS last_year
    FROM stays
)
SELECT
    stays.*,
    came_back,
    came_back_unplanned,
    dischtime >= admittime AND (next_admittime IS NULL OR next_admittime >= dischtime) AS in_order,
    years_old >= 18 AS adult,
    discharge_location IS DISTINCT FROM 'HOSPICE' AS not_hospice,
    latest_outcome_year <= (SELECT last_year FROM observed) AS followed
FROM stays JOIN outcomes USING (hadm_id);

CREATE TABLE flow AS
WITH nested AS (
    SELECT came_back, came_back_unplanned, unnest([
        {'place': 0, 'step': 'admissions', 'kept': true},
        {'place': 1, 'step': 'left the hospital alive', 'kept': alive},
        {'place': 2, 'step': 'times in order', 'kept': alive AND in_order},
        {'place': 3, 'step': 'aged 18 or older', 'kept': alive AND in_order AND adult},
        {'place': 4, 'step': 'not to hospice', 'kept': alive AND in_order AND adult AND not_hospice},
        {'place': 5, 'step': 'followed for 30 days',
         'kept': alive AND in_order AND adult AND not_hospice AND followed},
        {'place': 6, 'step': 'planned readmissions not counted',
         'kept': alive AND in_order AND adult AND not_hospice AND followed}
    ], recursive := true)
    FROM screened
)
SELECT
    step,
    count(*) FILTER (kept) AS rows,
    count(*) FILTER (kept AND CASE WHEN place < 6 THEN came_back ELSE came_back_unplanned END) AS readmitted
FROM nested GROUP BY place, step ORDER BY place;

CREATE TABLE index_stays AS
SELECT * FROM screened WHERE alive AND in_order AND adult AND not_hospice AND followed;

-- step: diagnoses
CREATE TABLE history AS
WITH codes AS (
    SELECT DISTINCT
        CAST(hadm_id AS BIGINT) AS hadm_id,
        upper(trim(CAST(icd_code AS VARCHAR))) AS icd_code,
        CAST(icd_version AS BIGINT) AS icd_version
    FROM diagnoses_icd
),
conditions AS (
    SELECT DISTINCT icd_code, icd_version, family, weight
    FROM (SELECT DISTINCT icd_code, icd_version FROM codes) AS code
    JOIN charlson_codes AS range
        ON range.version = icd_version
        AND left(icd_code, length(range.first)) BETWEEN range.first AND range.last
),
earlier AS (
    SELECT index_stays.hadm_id, past.hadm_id AS past_hadm_id
    FROM index_stays JOIN stays AS past USING (subject_id)
    WHERE past.hadm_id <> index_stays.hadm_id
        AND past.dischtime <= index_stays.admittime
        AND past.dischtime >= index_stays.admittime - INTERVAL 365 DAY
),
known AS (
    SELECT DISTINCT earlier.hadm_id, icd_code, icd_version
    FROM earlier JOIN codes ON codes.hadm_id = earlier.past_hadm_id
),
worst AS (
    SELECT hadm_id, family, max(weight) AS weight
    FROM known JOIN conditions USING (icd_code, icd_version)
    GROUP BY hadm_id, family
),
indices AS (SELECT hadm_id, sum(weight) AS comorbidity_index FROM worst GROUP BY hadm_id),
counts AS (SELECT hadm_id, count(*) AS diagnosis_count FROM known GROUP BY hadm_id)
SELECT hadm_id, diagnosis_count, coalesce(comorbidity_index, 0) AS comorbidity_index
FROM counts LEFT JOIN indices USING (hadm_id);

-- step: labs
CREATE TABLE last_labs AS
WITH items AS (
    SELECT CAST(itemid AS BIGINT) AS itemid, name
    FROM d_labitems JOIN (VALUES
        ('Glucose', 'Chemistry', 'glucose'),
        ('Creatinine', 'Chemistry', 'creatinine'),
        ('Urea Nitrogen', 'Chemistry', 'urea_nitrogen'),
        ('Hemoglobin', 'Hematology', 'haemoglobin'),
        ('Sodium', 'Chemistry', 'sodium'),
        ('Potassium', 'Chemistry', 'potassium'),
        ('White Blood Cells', 'Hematology', 'white_cells'),
        ('Platelet Count', 'Hematology', 'platelets'),
        ('Lactate', 'Blood Gas', 'lactate')
    ) AS wanted (label, category, name) USING (label, category)
    WHERE fluid = 'Blood'
),
results AS (
    SELECT
        CAST(subject_id AS BIGINT) AS subject_id,
        CAST(labevent_id AS BIGINT) AS labevent_id,
        CAST(charttime AS TIMESTAMP) AS charttime,
        coalesce(CAST(storetime AS TIMESTAMP), CAST(charttime AS TIMESTAMP)) AS storetime,
        CAST(valuenum AS DOUBLE) AS valuenum,
        name
    FROM labevents JOIN items ON CAST(labevents.itemid AS BIGINT) = items.itemid
    WHERE valuenum IS NOT NULL
)
-- By patient and time, not by hadm_id, which many results of the emergency room lack.
SELECT hadm_id, name, arg_max(valuenum, (charttime, labevent_id)) AS value
FROM index_stays JOIN results USING (subject_id)
WHERE charttime >= least(admittime, coalesce(edregtime, admittime))
    AND charttime < dischtime
    AND storetime < dischtime
GROUP BY hadm_id, name;

CREATE TABLE labs AS
SELECT
    hadm_id,
    max(value) FILTER (name = 'glucose') AS glucose,
    max(value) FILTER (name = 'creatinine') AS creatinine,
    max(value) FILTER (name = 'urea_nitrogen') AS urea_nitrogen,
    max(value) FILTER (name = 'haemoglobin') AS haemoglobin,
    max(value) FILTER (name = 'sodium') AS sodium,
    max(value) FILTER (name = 'potassium') AS potassium,
    max(value) FILTER (name = 'white_cells') AS white_cells,
    max(value) FILTER (name = 'platelets') AS platelets,
    max(value) FILTER (name = 'lactate') AS lactate
FROM last_labs GROUP BY hadm_id;

-- step: table
CREATE TABLE cohort AS
SELECT
    subject_id,
    hadm_id,
    admittime,
    dischtime,
    year,
    -- Who is older than 89 is 91 in MIMIC-IV; so is whoever becomes that old by a later admission.
    CASE WHEN years_old > 89 THEN 91 ELSE years_old END AS age,
    sex,
    insurance,
    admission_type,
    discharge_location,
    round(date_diff('second', admittime, dischtime) / 86400.0, 2) AS los_days,
    prior_admissions,
    CAST(coalesce(diagnosis_count, 0) AS BIGINT) AS diagnosis_count,
    CAST(coalesce(comorbidity_index, 0) AS BIGINT) AS comorbidity_index,
    glucose, creatinine, urea_nitrogen, haemoglobin, sodium, potassium, white_cells, platelets, lactate,
    CAST(came_back_unplanned AS BIGINT) AS readmitted_30d
FROM index_stays LEFT JOIN history USING (hadm_id) LEFT JOIN labs USING (hadm_id)
ORDER BY subject_id, admittime, hadm_id;
