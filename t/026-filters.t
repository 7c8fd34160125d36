#!/usr/bin/perl
# A filter finds the matching resources through an index, a membership or a scan, however the client writes and encodes it;
# malformed filters and filters that would scan too many resources are refused with a sentence.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    location /scim/v2/ { scim main; }
    location /few/ { scim main; scim_max_scan 4; }
EOS
my $token = $t->seed('acme');
my $c = $t->client(token => $token);
$t->start;
my $base = '/scim/v2/Users';

sub create {
    my (%user) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $c->request(POST => $base, json => { schemas => [$user], %user });
    is $r->{status}, 201, "POST creates the user $user{userName}" or diag $r->{body};
}

# Checks that a filter finds exactly these users (by userName), in this order.
sub finds {
    my ($filter, @users) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $json = is_list($c, "$base?filter=$filter", scalar @users, scalar @users, "filter=$filter");
    is_deeply [map $_->{userName}, @{ $json->{Resources} }], \@users,
        "filter=$filter finds the expected users";
}

finds 'userName+eq+"nobody"';    # the first request of an identity provider, in an empty directory
for my $i (1 .. 3) {
    create userName => "user$i", externalId => 'x-1', title => "t$i",
        emails => [{ value => "u$i\@example.com", type => 'work' }, { value => 'Team@Example.com', type => 'home' }];
}
create userName => 'other', externalId => 'X-1';

# --- ways to write a filter

note "[S-2 S-50 S-51 S-71 S-73 S-219] ways to write a filter";
finds 'userName+eq+"user2"', 'user2';
finds 'userName%20eq%20%22user2%22', 'user2';
finds 'USERNAME+EQ+"USER2"', 'user2';
finds "$user:userName+eq+\"user2\"", 'user2';
finds '+(+userName+eq+"user2"+)+', 'user2';
finds 'userName+eq+"user2"&aadOptscim062020', 'user2';
finds 'userName+eq+"user2"&x=%zz&&=&sortBy=title&sortOrder=ascending', 'user2';
finds 'userName+eq+"user2"&filter=userName+eq+"user1"', 'user2';
finds 'userName+eq+"user"';
finds 'userName+eq+"user2%25"';
finds 'emails.value+eq+"u2@example.com"', 'user2';
finds 'emails.value%20eq%20%22U2%40EXAMPLE.COM%22', 'user2';
finds 'emails[value+eq+"u2@example.com"]', 'user2';
finds 'emails+eq+"u2@example.com"', 'user2';
finds 'emails.value+eq+"TEAM@example.com"', qw(user1 user2 user3);
finds 'externalId+eq+"x-1"', qw(user1 user2 user3);
finds 'externalId+eq+"X-1"', 'other';
finds 'externalId+eq+"x-2"';

# --- and: one condition uses an index, the others are evaluated on what it finds

note "[S-76 S-80 S-219] conditions joined by and";
finds 'externalId+eq+"x-1"+and+userName+eq+"user2"', 'user2';
finds 'userName+eq+"user2"+and+externalId+eq+"x-1"', 'user2';
finds 'userName+eq+"user2"+and+externalId+eq+"X-1"';
finds 'externalId+eq+"x-1"+and+title+gt+"t1"', qw(user2 user3);
finds 'externalId+eq+"x-1"+and+not+(userName+eq+"user2")', qw(user1 user3);
finds 'externalId+eq+"x-1"+and+(active+eq+false+or+emails.value+co+"u1@")', 'user1';
finds 'emails[type+eq+"work"+and+value+eq+"u1@example.com"]', 'user1';
finds 'emails[type+eq+"home"+and+value+eq+"u1@example.com"]';
finds 'emails.type+eq+"home"+and+emails.value+eq+"u1@example.com"', 'user1';

# --- a change of a user changes what filters find

note "a change of a user";
my ($ada) = @{ $c->request(GET => "$base?filter=userName+eq+\"user3\"")->{json}{Resources} };
$c->request(PUT => "$base/$ada->{id}", json => { schemas => [$user], userName => 'renamed', externalId => 'x-3' });
finds 'userName+eq+"user3"';
finds 'emails.value+eq+"u3@example.com"';
finds 'externalId+eq+"x-1"', qw(user1 user2);
finds 'userName+eq+"renamed"+and+externalId+eq+"x-3"', 'renamed';
$c->request(DELETE => "$base/$ada->{id}");
finds 'userName+eq+"renamed"';
finds 'externalId+eq+"x-3"';

# --- strings: JSON escapes, +, multi-byte characters, composed and decomposed

note "[S-50 S-72 S-155] strings";
my $long = 'l' x 2000;
for my $name ("o'neil+x\@x.com", 'quo"te', 'back\\slash', "\x{c9}mile", "\x{41a}\x{43e}\x{43d}\x{44c}", "\x{1f600}smile",
    'with blank', $long) {
    create userName => $name;
    (my $query = 'userName eq "' . ($name =~ s/(["\\])/\\$1/gr) . '"') =~ s/^/ /;
    utf8::encode($query);
    $query =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge;
    finds $query, $name;
}
finds 'userName+eq+"%C3%A9MILE"', "\x{c9}mile";
finds 'userName+eq+"e%CC%81mile"', "\x{c9}mile";
finds 'userName+eq+"\u00e9mile"', "\x{c9}mile";
finds "userName+eq+\"\xc3\xa9mile\"", "\x{c9}mile";
finds 'userName+eq+"%D0%BA%D0%9E%D0%9D%D0%AC"', "\x{41a}\x{43e}\x{43d}\x{44c}";
finds 'userName+eq+"' . 'L' x 2000 . '"', $long;
finds 'userName+eq+"' . 'L' x 2001 . '"';

# --- filters without an index, and filters on computed attributes

note "filters without an index";
sub encode { my ($text) = @_; utf8::encode($text); return $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }

$c = $t->client(token => $t->token($t->tenant('other')));
create userName => "p$_", title => $_ > 3 ? 'Boss' : "t$_", active => $_ % 2 ? JSON::PP::true : JSON::PP::false,
    ($_ > 1 ? (nickName => "n$_") : ()),
    emails => [{ value => "p$_\@example.com", type => 'work' }, { value => "h$_\@home.example", type => 'home' }] for 1 .. 5;
my @five = @{ is_list($c, $base, 5, 5, 'a list without a filter has five users')->{Resources} };
my ($p1, $p2, $p3) = map $_->{id}, @five;
my $enterprise = $Scim::Check::enterprise_urn;
create userName => 'p6', $enterprise => { manager => { value => $p1 } };
sub group {
    my ($name, @members) = @_;
    my $r = $c->request(POST => '/scim/v2/Groups', json => { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
        displayName => $name, members => [map +{ value => $_ }, @members] });
    is $r->{status}, 201, "POST creates the group $name" or diag $r->{body};
    return $r->{json}{id};
}
my $staff = group('Staff', $p1, $p2);
my $board = group('Board', $p2);
my $empty = group('Empty');
my $all = group('All', $staff);

my $location = $five[0]{meta}{location};
my $version = $c->request(GET => "$base/$p2")->{headers}{etag};
note "[S-70 S-71 S-78 S-79 S-80 S-81 S-84] operators and attributes";
finds(encode($_->[0]), @$_[1 .. $#$_]) for (
    ['title eq "boss"', qw(p4 p5)], ['title co "OS"', qw(p4 p5)], ['title ne "boss"', qw(p1 p2 p3 p6)],
    ['nickName pr', qw(p2 p3 p4 p5)], ['not (nickName pr)', qw(p1 p6)], ['nickName eq null', qw(p1 p6)],
    ['userName sw "P"', qw(p1 p2 p3 p4 p5 p6)], ['userName ge "p2" and userName lt "p4"', qw(p2 p3)],
    ['userName gt "p5"', 'p6'], ['userName le "p1"', 'p1'], ['emails.value sw "H"', qw(p1 p2 p3 p4 p5)],
    ['userName eq "p1" or userName eq "p5" or userName eq "p5"', qw(p1 p5)], ['userName eq "p1" or title eq "t2"', qw(p1 p2)],
    ['active eq true and title sw "t"', qw(p1 p3)], ['emails[type eq "work" and value co "3@"]', 'p3'],
    ['emails[type eq "home" and value co "3@e"]'], [qq{id eq "$p2"}, 'p2'], [qq{id eq "$p2" or id eq "$p1"}, qw(p1 p2)],
    [qq{id eq "$p2" and title eq "t1"}], ['id eq "no id"'], [qq{id gt "$p3"}, qw(p4 p5 p6)],
    ["schemas eq \"$enterprise\"", 'p6'], ["schemas eq \"$user\"", qw(p1 p2 p3 p4 p5 p6)], ['meta.resourceType eq "Group"'],
    ['meta.created gt "2020-01-01T00:00:00Z"', qw(p1 p2 p3 p4 p5 p6)], ['meta.lastModified lt "2020-01-01T00:00:00Z"'],
    ["meta.location eq \"$location\"", 'p1'], ['meta.version eq "' . $version =~ s/"/\\"/gr . '"', 'p2'],
    ['groups pr', qw(p1 p2)], ['not (groups pr)', qw(p3 p4 p5 p6)], ['groups eq null', qw(p3 p4 p5 p6)],
    ["groups eq \"$staff\"", qw(p1 p2)], ["groups.value eq \"$board\"", 'p2'], ["groups[value eq \"$board\"]", 'p2'],
    ["groups ne \"$board\"", qw(p1 p3 p4 p5 p6)], ["groups eq \"$empty\""], ["groups eq \"$all\""], ['groups eq "none"'],
    ['groups.display eq "STAFF"', qw(p1 p2)], ['groups[display eq "board" and type eq "direct"]', 'p2'],
    ["groups[display eq \"board\" and value eq \"$staff\"]"], ["groups.\$ref ew \"/Groups/$board\"", 'p2'],
    ["groups eq \"$staff\" and groups eq \"$board\"", 'p2'], ["groups eq \"$staff\" and title eq \"t1\"", 'p1'],
    ["manager eq \"$p1\"", 'p6'], ["$enterprise:manager.value eq \"$p1\"", 'p6'], ['manager.displayName eq "P1"', 'p6'],
    ["manager[value eq \"$p1\" and displayName eq \"p1\"]", 'p6'], ["manager[displayName eq \"p2\"]"],
    ["id eq \"$p2\" and manager eq \"$p1\""]);

# Checks that a filter finds exactly these groups (by displayName), in any order.
sub finds_groups {
    my ($filter, @names) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $query = 'filter=' . encode($filter) . '&excludedAttributes=members';
    my $json = is_list($c, "/scim/v2/Groups?$query", scalar @names, scalar @names,
        "filter $filter returns " . @names . ' groups');
    is_deeply [sort map $_->{displayName}, @{ $json->{Resources} }], [sort @names],
        "filter $filter finds the expected groups";
    is scalar(grep exists $_->{members}, @{ $json->{Resources} }), 0,
        "groups found by $filter have no members with excludedAttributes=members";
}
note "[S-219] members";
finds_groups @$_ for (
    ["members eq \"$p2\"", qw(Staff Board)], ["members.value eq \"$p1\"", 'Staff'], ["members[value eq \"$p1\"]", 'Staff'],
    ["id eq \"$staff\" and members eq \"$p1\"", 'Staff'], ["id eq \"$board\" and members eq \"$p1\""],
    ['members pr', qw(Staff Board All)], ['not (members pr)', 'Empty'], ['members.type eq "Group"', 'All'],
    ['members.display eq "p2"', qw(Staff Board)], ['members.display eq "staff"', 'All'], ["members ne \"$p1\"", qw(Board All Empty)],
    ['displayName sw "b"', 'Board'], ['displayName eq "staff" or displayName eq "ALL"', qw(Staff All)],
    ["members.value eq \"$p1\" or members.value eq \"$staff\"", qw(Staff All)]);

# A change of membership, and the deletion of a member or a group, change what filters find.
$c->request(PUT => "/scim/v2/Groups/$board", json => { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
    displayName => 'Board', members => [{ value => $p3 }] });
finds encode("groups eq \"$board\""), 'p3';
$c->request(DELETE => "/scim/v2/Groups/$staff");
finds encode("groups eq \"$staff\"");
finds encode('groups pr'), 'p3';
$c->request(DELETE => "$base/$p3");
finds_groups 'members pr';

# --- pages of filtered lists

note "pages";
is_deeply [map $_->{userName}, @{ is_list($c, "$base?filter=userName+sw+%22p%22&startIndex=2&count=2", 5, 2,
    'a filter with startIndex=2&count=2 returns two resources')->{Resources} }],
    [qw(p2 p4)], 'a filter with startIndex=2&count=2 returns the second and the third match';
is_list $c, "$base?filter=title+pr&count=0", 4, 0, 'a filter with count=0 returns totalResults and no resources';
is_list $c, "$base?filter=title+pr&startIndex=9", 4, 0,
    'a filter with startIndex behind the last match returns no resources';

# --- scans of too many resources

for my $case (['title eq "x"', qr/ask for "scim_index User title;" in nginx.s configuration, or add a condition with eq on one of userName, externalId, emails\.value, which have an index/],
    ['title co "x"', qr/; add a condition with eq on one of userName/]) {
    is_error $c->request(GET => "/few/Users?filter=" . encode($case->[0])), 400, 'tooMany',
        qr/look at more than scim_max_scan \(4\) resources.*$case->[1]/,
            "[S-67] filter $case->[0] is refused with 400 tooMany beyond scim_max_scan";
}
is_error $c->request(GET => '/few/Users?sortBy=title'), 400, 'tooMany', qr/scim_max_scan/,
    'sortBy is refused with 400 tooMany beyond scim_max_scan';
is $c->request(GET => "/few/Users?filter=$_")->{status}, 200, "filter=$_ scans no more than scim_max_scan resources"
    for 'userName+eq+%22p1%22', 'userName+eq+%22p1%22+and+title+co+%22x%22';
is $c->request(GET => "/few/Groups?filter=members+pr")->{status}, 200,
    'a scan of no more resources than scim_max_scan is answered with 200';
$c = $t->client(token => $token);

# --- invalid filters

is_error $c->request(GET => "$base?filter=$_->[0]"), 400, 'invalidFilter', $_->[1],
    "[S-68 S-83 S-85 S-88 S-165] filter=$_->[0] is refused with 400 invalidFilter" for (
    ['', qr/query parameter "filter" is empty/],
    ['+', qr/query parameter "filter" is empty/],
    ['userName+eq+%22%ff%22', qr/not valid UTF-8/],
    ['userName+eq+%2', qr/invalid escape "%2"/],
    ['userName+eq+"a%00"', qr/U\+0000/],
    ['noSuchThing+eq+"x"', qr/wrong at character 1: User has no attribute "noSuchThing"/],
    ['userName+like+"x"', qr/wrong at character 10: expected an operator .*, found "like"/],
    ['userName+eq', qr/wrong at character 12: expected a blank and a value, found the end/],
    ['userName+eq+"x', qr/wrong at character 15: expected a double quote that ends the string/],
    ['(userName+eq+"x"', qr/wrong at character 17: expected "and", "or" or "\)", found the end/],
    ['userName+eq+"x"+and', qr/wrong at character 20: expected a blank after "and"/],
    ['active+gt+true', qr/wrong at character 8: "gt" does not apply to "active", which is of type boolean/],
    ['password+eq+"x"', qr/"password" is never returned and cannot be used in a filter/],
    ['(' x 33 . 'userName+eq+"x"' . ')' x 33, qr/nested deeper than scim_max_filter_depth \(32\) allows/]);

$t->finish;
