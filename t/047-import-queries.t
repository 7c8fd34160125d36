#!/usr/bin/perl
# An import of the export of a tenant answers random queries as the tenant itself: filters with and without an index, sorting,
# pages, projections and memberships, of 2,000 users in 400 groups. SCIM_USERS=1000000 for a million users in 200,000 groups and
# 1,000 queries, which takes about half an hour; SCIM_SEED repeats a run.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $users = $ENV{SCIM_USERS} // 2000;
my $groups = $users / 5;
my $queries = $users < 100_000 ? 300 : 1000;
my $seed = $ENV{SCIM_SEED} // int rand 2**31;
srand $seed;
note "SCIM_SEED=$seed";

my $json = $Scim::json;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store size=' . (64 + int $users / 50) . 'm; scim_index User name.familyName;',
    server => "location /scim/v2/ { scim main; scim_max_scan @{[2 * $users + $groups]}; }");
my $token = $t->seed('acme');
my @first = qw(Ada Björn Chloé Dmitri Eve Zoë);
my @last = qw(Lovelace Müller Dubois Иванов O'Neill Ng);
my @titles = ('Engineer', 'engineer', 'Accountant', 'Ärztin', '');

# Ids and externalIds of users and groups; the order of ids is not that of the numbers.
sub uuid { my ($kind, $number) = @_; return sprintf '%08x-%04x-4000-8000-%012x', $number * 2654435761 % 2**32, $kind, $number }
sub user_id { return uuid(1, @_) }
sub group_id { return uuid(2, @_) }
sub external_id { return uuid(3, @_) }

# Resources as a provider sends them, about 700 bytes each.
sub write_input {
    open my $f, '>', "$t->{dir}/input.ndjson" or die "input.ndjson: $!\n";
    for my $i (1 .. $users) {
        my ($first, $last) = ($first[rand @first], "$last[rand @last]" . $i % 997);
        my $user = Scim::user("user$i\@example.com", id => user_id($i), externalId => external_id($i),
            name => { givenName => $first, familyName => $last }, displayName => "$first $last", active => $i % 7 ? JSON::PP::true : JSON::PP::false,
            emails => [{ value => "user$i\@example.com", type => 'work', primary => JSON::PP::true }, { value => lc("$first.$i\@home.example"), type => 'home' }],
            addresses => [{ type => 'work', locality => "Town " . $i % 50, country => 'NO' }]);
        $user->{title} = $_ for grep length, $titles[rand @titles];
        print $f $json->encode($user), "\n";
    }
    for my $i (1 .. $groups) {
        my %members = map { user_id(1 + int rand $users) => 1 } 1 .. 1 + rand 10;
        print $f $json->encode({ schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], id => group_id($i), displayName => "Group $i",
            members => [map +{ value => $_ }, sort keys %members] }), "\n";
    }
    close $f or die "input.ndjson: $!\n";
}

# Runs scimctl without the time limit of Scim::run.
sub scimctl {
    my ($words, $to) = @_;
    my $time = time;
    my $exit = system "\Q$ENV{TEST_SCIMCTL}\E --store \Q$t->{store}\E $words >\Q$t->{dir}/$to\E";
    note "scimctl $words: ", time - $time, ' s';
    return $exit;
}

sub pick { return $_[rand @_] }
sub user_number { return 1 + int rand($users * 1.01) }

sub comparison {
    return pick(
        sub { sprintf 'userName eq "USER%d@example.com"', user_number() },
        sub { sprintf 'userName sw "user%d"', user_number() },
        sub { sprintf 'externalId eq "%s"', external_id(user_number()) },
        sub { sprintf 'emails[type eq "%s" and value eq "user%d@example.com"]', pick(qw(work home)), user_number() },
        sub { sprintf 'emails.value eq "%s.%d@home.example"', lc pick(@first), user_number() },
        sub { sprintf 'groups.value eq "%s"', group_id(1 + int rand $groups) },
        sub { sprintf 'name.familyName %s "%s%d"', pick(qw(eq gt le)), pick(@last), rand 997 },
        sub { sprintf 'id %s "%s"', pick(qw(eq lt ge)), user_id(user_number()) },
        sub { sprintf 'displayName co "%s"', pick('ë Mü', 'Ng99', 'a O', 'Иванов5') },
        sub { sprintf 'title eq "%s"', pick(@titles[0 .. 3]) },
        sub { sprintf 'addresses.locality ew "%d"', rand 50 },
        sub { pick('active eq false', 'title pr', 'nickName pr') },
    )->();
}
sub user_filter {
    my $filter = comparison();
    $filter = rand() < 0.5 ? "$filter and " . comparison() : "$filter or " . comparison() if rand() < 0.4;
    return rand() < 0.1 ? "not ($filter)" : $filter;
}
sub group_filter {
    return pick(sub { sprintf 'displayName eq "group %d"', 1 + int rand $groups }, sub { sprintf 'members.value eq "%s"', user_id(user_number()) },
        sub { sprintf 'displayName sw "Group %d"', rand 100 }, sub { sprintf 'members.value eq "%s" or displayName ew "%d"', user_id(user_number()), rand 1000 })->();
}
sub query {
    return '/Users/' . user_id(user_number()) if rand() < 0.1;
    my $type = rand() < 0.25 ? 'Groups' : 'Users';
    my %query = (count => int rand 20);
    $query{filter} = $type eq 'Users' ? user_filter() : group_filter() if rand() < 0.9;
    $query{startIndex} = 1 + int rand(rand() < 0.7 ? 10 : $users) if rand() < 0.4;
    @query{qw(sortBy sortOrder)} = (pick($type eq 'Users' ? qw(userName name.familyName) : 'displayName'), pick(qw(ascending descending))) if rand() < 0.3;
    $query{pick(qw(attributes excludedAttributes))} = pick(qw(emails name.familyName groups members displayName)) if rand() < 0.4;
    for (values %query) {
        utf8::encode($_);
        s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ge;
    }
    return "/$type?" . join '&', map "$_=$query{$_}", sort keys %query;
}

# The answer without the parts that no two requests share.
sub answer {
    my ($client, $path) = @_;
    my $r = $client->request(GET => "/scim/v2$path");
    delete $_->{meta}{version} for grep ref && $_->{meta}, $r->{json}, @{ $r->{json}{Resources} // [] };
    $r->{json}{detail} =~ s/ \(request [0-9a-f]+\)// if $r->{status} != 200;
    return "$r->{status} " . $json->encode($r->{json});
}

write_input();
$t->start->served('/scim/v2/Users', token => $token);    # sets the size of the map
is scimctl('import --tenant acme --keep-ids ' . "\Q$t->{dir}/input.ndjson\E", 'import'), 0, 'the resources are imported' or done_testing, exit;
is scimctl('export --tenant acme', 'export.ndjson'), 0, 'they are exported';
my $copy = $t->token($t->tenant('copy'));
is scimctl('import --tenant copy --keep-ids ' . "\Q$t->{dir}/export.ndjson\E", 'import'), 0, 'the export is imported';
is scimctl('export --tenant copy', 'copy.ndjson'), 0, 'and exported';
is system('cmp', '-s', map "$t->{dir}/$_.ndjson", qw(export copy)), 0, 'both exports have the same bytes';

$t->wait_for(sub { ($t->scimctl('index', 'list'))[1] !~ /building/ }) or diag 'an index is not built';
my @clients = map $t->client(token => $_), $token, $copy;
my ($found, %statuses, @differ) = 0;
for (1 .. $queries) {
    my $path = query();
    my @answers = map answer($_, $path), @clients;
    $statuses{substr $answers[0], 0, 3}++;
    $found++ if $answers[0] !~ /"totalResults":0/;
    push @differ, $path if $answers[0] ne $answers[1];
}
note join ', ', "found something: $found", map "status $_: $statuses{$_}", sort keys %statuses;
is "@differ", '', "$queries queries have the same answers";
cmp_ok $statuses{200}, '>', 0.9 * $queries, 'almost all of them are answered';
cmp_ok $found, '>', 0.5 * $queries, 'at least half of them find something';
$t->finish;
