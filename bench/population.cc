#include "bench/population.h"

#include <string_view>

namespace bench {

namespace {

constexpr uint64_t seed = 0x5c1a2e57;

// A name as it is written, and as it is spelt in an email address.
struct Name {
    std::string_view written, ascii;
};

struct Language {
    std::string_view tag, timezone, country;
    Name given[6], family[8];
    std::string_view city[3], street[3];
};

constexpr Language languages[] = {
    {"en-US",
     "America/New_York",
     "US",
     {{"James", "james"},
      {"Mary", "mary"},
      {"Elizabeth", "elizabeth"},
      {"Christopher", "christopher"},
      {"Ann", "ann"},
      {"Barbara", "barbara"}},
     {{"Smith", "smith"},
      {"Johnson", "johnson"},
      {"Williams", "williams"},
      {"Jackson", "jackson"},
      {"Lee", "lee"},
      {"O'Brien", "obrien"},
      {"Thompson", "thompson"},
      {"Featherstonehaugh", "featherstonehaugh"}},
     {"Springfield", "New York", "San Francisco"},
     {"Main Street", "Universal City Plaza", "Martin Luther King Jr. Boulevard"}},
    {"de-DE",
     "Europe/Berlin",
     "DE",
     {{"Jürgen", "juergen"},
      {"Käthe", "kaethe"},
      {"Hans-Peter", "hans-peter"},
      {"Anna", "anna"},
      {"Maximilian", "maximilian"},
      {"Sofie", "sofie"}},
     {{"Müller", "mueller"},
      {"Weiß", "weiss"},
      {"Schröder", "schroeder"},
      {"Schmidt", "schmidt"},
      {"Leutheusser-Schnarrenberger", "leutheusser-schnarrenberger"},
      {"Groß", "gross"},
      {"Bauer", "bauer"},
      {"Vogel", "vogel"}},
     {"München", "Berlin", "Frankfurt am Main"},
     {"Hauptstraße", "Straße des 17. Juni", "Am Alten Güterbahnhof"}},
    {"fr-FR",
     "Europe/Paris",
     "FR",
     {{"François", "francois"},
      {"Hélène", "helene"},
      {"Jean-Baptiste", "jean-baptiste"},
      {"Zoé", "zoe"},
      {"Marie", "marie"},
      {"Loïc", "loic"}},
     {{"Lefèvre", "lefevre"},
      {"Dubois", "dubois"},
      {"Moreau", "moreau"},
      {"d'Aubigné", "daubigne"},
      {"Martin", "martin"},
      {"Bézier", "bezier"},
      {"Petit", "petit"},
      {"de La Rochefoucauld", "delarochefoucauld"}},
     {"Paris", "Besançon", "Saint-Étienne"},
     {"rue de la République", "avenue des Champs-Élysées", "boulevard Voltaire"}},
    {"es-ES",
     "Europe/Madrid",
     "ES",
     {{"José", "jose"},
      {"María", "maria"},
      {"Íñigo", "inigo"},
      {"Lucía", "lucia"},
      {"Juan Carlos", "juan.carlos"},
      {"Ana", "ana"}},
     {{"García Márquez", "garcia"},
      {"Núñez", "nunez"},
      {"Fernández de Córdoba", "fernandez"},
      {"López", "lopez"},
      {"Ibáñez", "ibanez"},
      {"Ruiz", "ruiz"},
      {"Peña", "pena"},
      {"Vázquez Montalbán", "vazquez"}},
     {"Madrid", "A Coruña", "Sevilla"},
     {"Calle Mayor", "Paseo de la Castellana", "Gran Vía"}},
    {"pl-PL",
     "Europe/Warsaw",
     "PL",
     {{"Łukasz", "lukasz"},
      {"Małgorzata", "malgorzata"},
      {"Zbigniew", "zbigniew"},
      {"Agnieszka", "agnieszka"},
      {"Jan", "jan"},
      {"Żaneta", "zaneta"}},
     {{"Wiśniewski", "wisniewski"},
      {"Kowalska", "kowalska"},
      {"Brzęczyszczykiewicz", "brzeczyszczykiewicz"},
      {"Nowak", "nowak"},
      {"Żak", "zak"},
      {"Dąbrowski", "dabrowski"},
      {"Wójcik", "wojcik"},
      {"Król", "krol"}},
     {"Łódź", "Warszawa", "Kraków"},
     {"ulica Świętokrzyska", "Aleje Jerozolimskie", "Rynek Główny"}},
    {"tr-TR",
     "Europe/Istanbul",
     "TR",
     {{"İbrahim", "ibrahim"},
      {"Ayşe", "ayse"},
      {"Işıl", "isil"},
      {"Çağlar", "caglar"},
      {"Gül", "gul"},
      {"Mehmet", "mehmet"}},
     {{"Yılmaz", "yilmaz"},
      {"Öztürk", "ozturk"},
      {"Şahin", "sahin"},
      {"Kaya", "kaya"},
      {"Büyükanıt", "buyukanit"},
      {"Doğan", "dogan"},
      {"Demir", "demir"},
      {"Çelik", "celik"}},
     {"İstanbul", "Ankara", "Diyarbakır"},
     {"İstiklal Caddesi", "Atatürk Bulvarı", "Bağdat Caddesi"}},
    {"el-GR",
     "Europe/Athens",
     "GR",
     {{"Γιώργος", "giorgos"},
      {"Ελένη", "eleni"},
      {"Νίκος", "nikos"},
      {"Σοφία", "sofia"},
      {"Αλέξανδρος", "alexandros"},
      {"Άννα", "anna"}},
     {{"Παπαδόπουλος", "papadopoulos"},
      {"Αγγελόπουλος", "angelopoulos"},
      {"Νικολαΐδης", "nikolaidis"},
      {"Βλάχος", "vlachos"},
      {"Οικονόμου", "oikonomou"},
      {"Ρήγας", "rigas"},
      {"Κωνσταντινίδης", "konstantinidis"},
      {"Δήμου", "dimou"}},
     {"Αθήνα", "Θεσσαλονίκη", "Πάτρα"},
     {"Ερμού", "Λεωφόρος Κηφισίας", "Πανεπιστημίου"}},
    {"ru-RU",
     "Europe/Moscow",
     "RU",
     {{"Александр", "aleksandr"},
      {"Наталья", "natalya"},
      {"Фёдор", "fyodor"},
      {"Юлия", "yulia"},
      {"Иван", "ivan"},
      {"Екатерина", "ekaterina"}},
     {{"Иванов", "ivanov"},
      {"Кузнецова", "kuznetsova"},
      {"Достоевский", "dostoevsky"},
      {"Щербаков", "shcherbakov"},
      {"Ли", "li"},
      {"Римский-Корсаков", "rimsky-korsakov"},
      {"Соловьёв", "solovyov"},
      {"Попов", "popov"}},
     {"Москва", "Санкт-Петербург", "Екатеринбург"},
     {"улица Ленина", "Невский проспект", "Кутузовский проспект"}},
    {"zh-CN",
     "Asia/Shanghai",
     "CN",
     {{"伟", "wei"},
      {"秀英", "xiuying"},
      {"敏", "min"},
      {"建国", "jianguo"},
      {"丽", "li"},
      {"浩然", "haoran"}},
     {{"王", "wang"},
      {"李", "li"},
      {"张", "zhang"},
      {"刘", "liu"},
      {"欧阳", "ouyang"},
      {"陈", "chen"},
      {"司马", "sima"},
      {"赵", "zhao"}},
     {"北京", "上海", "乌鲁木齐"},
     {"人民路", "长安街", "中山北路"}},
    {"ja-JP",
     "Asia/Tokyo",
     "JP",
     {{"太郎", "taro"},
      {"花子", "hanako"},
      {"大輔", "daisuke"},
      {"さくら", "sakura"},
      {"健一", "kenichi"},
      {"陽菜", "hina"}},
     {{"佐藤", "sato"},
      {"鈴木", "suzuki"},
      {"髙橋", "takahashi"},
      {"田中", "tanaka"},
      {"勅使河原", "teshigawara"},
      {"渡邊", "watanabe"},
      {"山本", "yamamoto"},
      {"中村", "nakamura"}},
     {"東京都", "大阪市", "札幌市"},
     {"丸の内", "御堂筋", "北三条西"}},
    {"ar-EG",
     "Africa/Cairo",
     "EG",
     {{"محمد", "mohamed"},
      {"فاطمة", "fatima"},
      {"عبد الرحمن", "abdelrahman"},
      {"ليلى", "layla"},
      {"يوسف", "youssef"},
      {"نور", "nour"}},
     {{"الشريف", "elsherif"},
      {"حسن", "hassan"},
      {"عبد الناصر", "abdelnasser"},
      {"منصور", "mansour"},
      {"السيد", "elsayed"},
      {"نجيب", "naguib"},
      {"خليل", "khalil"},
      {"محفوظ", "mahfouz"}},
     {"القاهرة", "الإسكندرية", "الجيزة"},
     {"شارع التحرير", "كورنيش النيل", "شارع الهرم"}},
    {"hi-IN",
     "Asia/Kolkata",
     "IN",
     {{"राहुल", "rahul"},
      {"प्रिया", "priya"},
      {"अर्जुन", "arjun"},
      {"Lakshmi", "lakshmi"},
      {"Venkatesh", "venkatesh"},
      {"दीपिका", "deepika"}},
     {{"शर्मा", "sharma"},
      {"Ramanujan", "ramanujan"},
      {"Patel", "patel"},
      {"सिंह", "singh"},
      {"Venkataraghavan", "venkataraghavan"},
      {"गुप्ता", "gupta"},
      {"Iyer", "iyer"},
      {"Chandrasekhar", "chandrasekhar"}},
     {"मुंबई", "Bengaluru", "Hyderabad"},
     {"Mahatma Gandhi Road", "Linking Road", "राजपथ"}},
};

// Half of the users have one of the first three languages.
constexpr uint64_t language_count = sizeof languages / sizeof languages[0];

constexpr std::string_view domains[] = {"example.com", "corp.example.com",
                                        "students.university.example.edu", "example.co.uk"};
constexpr std::string_view departments[] = {
    "Sales",      "Human Resources",        "Research & Development", "Finance",
    "Legal",      "Information Technology", "Customer Support",       "Marketing",
    "Operations", "Facility Management"};
constexpr std::string_view titles[] = {"Engineer",
                                       "Senior Vice President, Global Accounts",
                                       "Tour Guide",
                                       "Account Manager",
                                       "Director of Clinical Operations",
                                       "Intern",
                                       "Team Lead",
                                       "Professor"};
constexpr std::string_view user_types[] = {"Employee",   "Employee", "Employee",
                                           "Contractor", "Student",  "Guest"};

class Dice {
  public:
    explicit Dice(uint64_t number) : state_(seed + number * 0x2545f4914f6cdd1d) {
        next_random(state_);
    }
    uint64_t below(uint64_t n) { return next_random(state_) % n; }
    bool percent(uint64_t p) { return below(100) < p; }
    template <class T, size_t n>
    const T &of(const T (&values)[n]) {
        return values[below(n)];
    }
    std::string hex(size_t digits) {
        std::string out;
        while (out.size() < digits) out += "0123456789abcdef"[below(16)];
        return out;
    }
    std::string decimal(size_t digits) {
        std::string out;
        while (out.size() < digits) out += char('0' + below(10));
        return out;
    }

  private:
    uint64_t state_;
};

// REQUIRES: no text contains a character that JSON escapes.
class Object {
  public:
    explicit Object(std::string &out) : out_(out) { out_ += '{'; }
    ~Object() { out_ += '}'; }
    Object(const Object &) = delete;
    Object &operator=(const Object &) = delete;
    void text(std::string_view name, std::string_view value) {
        key(name);
        out_.append("\"").append(value) += '"';
    }
    void truth(std::string_view name, bool value) {
        key(name);
        out_ += value ? "true" : "false";
    }
    std::string &key(std::string_view name) {
        if (out_.back() != '{') out_ += ',';
        out_.append("\"").append(name) += "\":";
        return out_;
    }

  private:
    std::string &out_;
};

void add_value(std::string &out, std::string_view value, std::string_view type, bool primary) {
    if (out.back() != '[') out += ',';
    Object o(out);
    o.text("value", value);
    o.text("type", type);
    if (primary) o.truth("primary", true);
}

void add_address(std::string &out, Dice &dice, const Language &language, std::string_view type) {
    if (out.back() != '[') out += ',';
    Object o(out);
    std::string street =
        std::string(dice.of(language.street)) + " " + std::to_string(1 + dice.below(300));
    std::string_view city = dice.of(language.city);
    std::string code = dice.decimal(5);
    o.text("type", type);
    if (dice.percent(40))
        o.text("formatted", street + "\\n" + code + " " + std::string(city) + "\\n" +
                                std::string(language.country));
    o.text("streetAddress", street);
    o.text("locality", city);
    o.text("postalCode", code);
    o.text("country", language.country);
}

void add_enterprise(Object &user, Dice &dice) {
    Object o(user.key("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"));
    o.text("employeeNumber", dice.decimal(6));
    if (dice.percent(50)) o.text("costCenter", dice.decimal(4));
    if (dice.percent(60)) o.text("organization", "Example Holding International");
    if (dice.percent(25)) o.text("division", "Theme Park");
    o.text("department", dice.of(departments));
    if (dice.percent(50)) {
        Object manager(o.key("manager"));
        manager.text("value", "018f3a5c-" + dice.hex(4) + "-7" + dice.hex(3) + "-8" + dice.hex(3) +
                                  "-" + dice.hex(12));
    }
}

}  // namespace

User user(uint64_t number) {
    Dice dice(number);
    const Language &language =
        languages[dice.percent(50) ? dice.below(3) : dice.below(language_count)];
    const Name &given = dice.of(language.given), &family = dice.of(language.family);
    std::string domain(dice.of(domains)), digits = std::to_string(number);
    // How many attributes an identity provider sends: few, the usual ones, or all.
    bool bare = dice.percent(8), rich = !bare && dice.percent(15);

    User result;
    result.user_name =
        std::string(given.ascii) + "." + std::string(family.ascii) + "." + digits + "@" + domain;
    std::string &out = result.json;
    Object o(out);
    o.key("schemas") += R"(["urn:ietf:params:scim:schemas:core:2.0:User")";
    if (!bare) out += R"(,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")";
    out += ']';
    o.text("externalId", dice.hex(8) + "-" + dice.hex(4) + "-4" + dice.hex(3) + "-a" + dice.hex(3) +
                             "-" + dice.hex(12));
    o.text("userName", result.user_name);
    std::string full = std::string(given.written) + " " + std::string(family.written);
    {
        Object name(o.key("name"));
        if (!bare) name.text("formatted", full);
        name.text("familyName", family.written);
        name.text("givenName", given.written);
        if (dice.percent(10)) name.text("middleName", dice.of(language.given).written);
    }
    o.text("displayName", full);
    o.truth("active", !dice.percent(5));
    if (!bare) {
        if (dice.percent(20)) o.text("nickName", given.written);
        o.text("title", dice.of(titles));
        o.text("userType", dice.of(user_types));
        if (dice.percent(70)) o.text("preferredLanguage", language.tag);
        if (dice.percent(60)) o.text("locale", language.tag);
        if (dice.percent(50)) o.text("timezone", language.timezone);
    }

    o.key("emails") += '[';
    add_value(out, result.user_name, "work", true);
    if (!bare && dice.percent(40))
        add_value(out, std::string(given.ascii) + dice.decimal(3) + "@mail.example.net", "home",
                  false);
    if (rich) add_value(out, std::string(family.ascii) + "@alumni.example.org", "other", false);
    out += ']';
    if (!bare && dice.percent(85)) {
        o.key("phoneNumbers") += '[';
        add_value(out, "+" + dice.decimal(2) + "-" + dice.decimal(3) + "-" + dice.decimal(6),
                  "work", true);
        if (dice.percent(60))
            add_value(out, "+" + dice.decimal(2) + "-" + dice.decimal(9), "mobile", false);
        if (rich) add_value(out, "+" + dice.decimal(2) + "-" + dice.decimal(9), "fax", false);
        out += ']';
    }
    if (!bare && dice.percent(60)) {
        o.key("addresses") += '[';
        add_address(out, dice, language, "work");
        if (rich) add_address(out, dice, language, "home");
        out += ']';
    }
    if (rich) {
        o.text("profileUrl", "https://login.example.com/people/" + digits);
        o.key("photos") += '[';
        add_value(out, "https://photos.example.com/profilephoto/" + dice.hex(32) + "/F", "photo",
                  false);
        out += ']';
        o.key("roles") += '[';
        add_value(out, "cost-center-approver-" + dice.decimal(4), "erp", false);
        add_value(out, "read-only-" + dice.decimal(4), "crm", false);
        out += ']';
        if (dice.percent(15)) {
            o.key("x509Certificates") += R"([{"value":")";
            for (size_t left = 700 + 4 * dice.below(100); left > 0; left--)
                out += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[dice.below(32)];
            out += R"("}])";
        }
    }
    if (!bare) add_enterprise(o, dice);
    return result;
}

}  // namespace bench
