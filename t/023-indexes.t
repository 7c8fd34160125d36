#!/usr/bin/perl
# scim_index adds an index: `nginx -t` refuses one that cannot be built, workers build it while requests are served, queries
# and sorted lists then use it, and it is dropped when the directive is removed, also over kills and reloads. SCIM-Explain
# and scimctl explain say how a query is evaluated; what a refusal recommends helps.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $base = '/scim/v2/Users';
my $store = 'scim_store main %%DIR%%/store; add_header X-Pid $pid always;';
my $server = 'location /scim/v2/ { scim main; scim_explain on; } location /few/ { scim main; scim_max_scan 100; } '
    . 'location /plain/ { scim main; }';
my $t = Scim->new(workers => 2, http => $store, server => $server);

# --- nginx -t

my $urn = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
conf_good $t, "scim_index $_ is accepted", http => "$store scim_index $_;", server => $server
    for 'User name.familyName title', "User $urn:department store=main", 'User active phoneNumbers.value';
conf_bad $t, "scim_index $_->[0] is refused", qr/"scim_index" for store "main": $_->[1] in \S+nginx\.conf:\d+/,
    http => "$store scim_index $_->[0];", server => $server for (
    ['Person title', qr/there is no resource type "Person"/],
    ['User titel', qr/User has no attribute "titel"/],
    ['User department', qr/User has no attribute "department"; expected "\Q$urn\E:department"/],
    ['User name', qr/"name" of User is complex; expected one of its sub-attributes such as "name\.formatted"/],
    ['User password', qr/"password" of User is never returned, so it cannot have an index/],
    ['User meta.created', qr/"meta\.created" of User is computed by the server, so it cannot have an index/],
    ['User title title', qr/"title" of User is duplicate/],
    ['User title TITLE', qr/"TITLE" of User is duplicate/],
    ['User title; scim_index User title', qr/"title" of User is duplicate/],
    ['User userName', qr/"userName" of User has an index without "scim_index"/],
    ['User emails.value', qr/"emails\.value" of User has an index without "scim_index"/]);
conf_bad $t, 'scim_index without an attribute is refused', qr/invalid number of arguments in "scim_index"/,
    http => "$store scim_index User;";
conf_bad $t, 'scim_index with only store= is refused', qr/no attribute in "scim_index" directive/,
    http => "$store scim_index User store=main;";
conf_bad $t, 'scim_index for an unknown store is refused', qr/unknown store "other" in \S+nginx\.conf:\d+/,
    http => "$store scim_index User title store=other;";
conf_bad $t, 'scim_index without a scim_store is refused', qr/no "scim_store" is defined for "scim_index" in \S+nginx\.conf:\d+/,
    http => 'scim_index User title;';
conf_bad $t, 'scim_index in a server is refused', qr/"scim_index" directive is not allowed here/, http => $store,
    server => 'scim_index User title;';
my @some = qw(title nickName userType locale timezone preferredLanguage profileUrl displayName active name.familyName
    name.givenName name.middleName name.formatted name.honorificPrefix name.honorificSuffix phoneNumbers.value ims.value);
conf_good $t, 'scim_index with 16 attributes of a type is accepted', http => "$store scim_index User @some[0 .. 15];", server => $server;
conf_bad $t, 'scim_index with 17 attributes of a type is refused', qr/User has more than 16 indexes/,
    http => "$store scim_index User @some;", server => $server;
conf_bad $t, 'scim_explain with another value is refused', qr/invalid value "yes" in "scim_explain" directive, it must be "off" or "on"/,
    http => $store, server => 'location /scim/v2/ { scim main; scim_explain yes; }';

# --- without an index

$t->conf(undef, http => $store, server => $server);
my $token = $t->seed('acme');
$t->start->served($base, token => $token);
my $c = $t->client(token => $token);
my $count = 450;
is scalar(grep $_->{status} == 201, $c->pipeline(map [POST => $base, json => Scim::user("u$_",
    title => 't' . $_ % 9, $_ % 3 ? (nickName => sprintf 'n%03d', $_ * 7 % $count) : ())], 1 .. $count)), $count, 'users are created';

# Returns SCIM-Explain and the userNames of a list.
sub list { my ($query) = @_;
    my $r = $c->request(GET => "$base?$query");
    return ($r->{headers}{'scim-explain'} // "no header, $r->{status}", map $_->{userName}, @{ $r->{json}{Resources} // [] }) }
my ($scan, @scanned) = list('filter=title+eq+%22T4%22&count=1000');
like $scan, qr/^User: scan, 450 resources, verified; examined=450; rows=0; returned=50; time=\d+\.\d{3}ms$/,
    'SCIM-Explain says that a filter without an index examines all users';
like +(list('filter=userName+eq+%22u7%22'))[0], qr/^User: index userName eq, 1 rows; examined=1; rows=\d; returned=1; time=/,
    'SCIM-Explain says that userName eq uses its index';
is $c->request(GET => "/plain/Users?count=1")->{headers}{'scim-explain'}, undef, 'without scim_explain there is no SCIM-Explain';
is_error $c->request(GET => '/few/Users?filter=title+eq+%22t4%22'), 400, 'tooMany',
    qr/ask for "scim_index User title;" in nginx's configuration, or add a condition with eq on one of/,
    'a query that examines too many resources is refused, and the directive that helps is named';
my ($exit, $out, $err) = $t->scimctl(qw(explain --tenant acme), q(title eq "t4"));
like "$exit $out", qr/^0 Plan: User: scan, 450 resources, verified\nExamined: 450 resources, 0 rows of indexes and memberships\nReturned: 50 resources\nTime: \d+\.\d{3} ms\nFewer resources are examined with: scim_index User title;\n\z/,
    q(scimctl explain shows the plan and the directive) or diag $err;
($exit, $out) = $t->scimctl(qw(--json explain --tenant acme --count 7 --sort-by userName --descending), 'userName sw "u"');
my $json = $Scim::json->decode($out);
like delete $json->{microseconds}, qr/^\d+$/, 'scimctl explain --json has the time';
is_deeply $json, { plan => 'User: index userName in order', examined => 7, rows => $json->{rows}, returned => 7 },
    'scimctl explain --json shows the plan of a sorted list' or diag $out;
is +($t->scimctl(qw(explain --tenant acme), 'titel eq "x"'))[0], 1, 'scimctl explain refuses an invalid filter';
is +($t->scimctl(qw(explain --tenant amce), 'title eq "x"'))[0], 1, 'scimctl explain refuses an unknown tenant';
my (undef, @by_nick) = list('sortBy=nickName&count=1000');
my (undef, @by_nick_down) = list('sortBy=nickName&sortOrder=descending&count=1000');

# --- the index is built

sub indexes { my (undef, $out) = $t->scimctl(qw(--json index list));
    return { map { ("$_->{type} $_->{attribute}" => $_->{state}) } @{ $Scim::json->decode($out)->{indexes} } } }
sub reloaded { my ($http) = @_; $t->conf(undef, http => "$store $http", server => $server); return $t->reload(gone => 1) }
my @builtin = ('Group displayName', 'Group externalId', 'User emails.value', 'User externalId', 'User userName');
is_deeply indexes(), { map { $_ => 'ready' } @builtin }, 'scimctl index list lists the built-in indexes';
ok reloaded('scim_index User title nickName;'), 'scim_index is added by a reload';
ok $t->wait_for(sub { my $is = indexes(); ($is->{'User title'} // '') eq 'ready' && ($is->{'User nickName'} // '') eq 'ready' }),
    'the indexes become ready';
($exit, $out) = $t->scimctl(qw(index list));
like "$exit $out", qr/^0 User emails\.value ready\nUser externalId ready\nUser nickName ready\nUser title ready\nUser userName unique ready\nGroup displayName unique ready\nGroup externalId ready\n\z/,
    'scimctl index list prints a line for each';
$c = $t->client(token => $token);
my ($plan, @found) = list('filter=title+eq+%22T4%22&count=1000');
like $plan, qr/^User: index title eq, 50 rows; examined=50; rows=\d+; returned=50;/, 'the filter uses the index';
is "@found", "@scanned", 'the index finds the users that the scan has found';
is_list $c, '/few/Users?filter=title+eq+%22t4%22', 50, 50, 'the query that was refused is answered';

# --- sorted lists in the order of the index

is_deeply [(list('sortBy=nickName&count=1000'))[1 .. $count]], \@by_nick, 'the order of the index is that of sorting';
is_deeply [(list('sortBy=nickName&sortOrder=descending&count=1000'))[1 .. $count]], \@by_nick_down,
    'so is the descending order, which begins with the users without a value';
like +(list('sortBy=nickName&count=5'))[0], qr/^User: index nickName in order; examined=5; rows=[56]; returned=5;/,
    'a sorted page examines no more users than it shows';
is_list $c, '/few/Users?sortBy=nickName&count=10', $count, 10, 'it is not refused beyond scim_max_scan, and has the total';
is_error $c->request(GET => '/few/Users?sortBy=nickName&count=10&sortOrder=descending'), 400, 'tooMany', qr/scim_max_scan/,
    'a page that begins with the users without a value examines all users';
my @pages;
for (my $next = ''; defined $next && @pages < 1000;) {
    my $r = $c->request(GET => "$base?sortBy=nickName&count=40&cursor=$next")->{json};
    push @pages, map $_->{userName}, @{ $r->{Resources} };
    $next = $r->{nextCursor};
}
is "@pages", "@by_nick", 'the pages by cursor are the parts of the order';
my %nick = map { ("u$_" => $_ % 3 ? sprintf 'n%03d', $_ * 7 % $count : '') } 1 .. $count;
my ($range, @in_range) = list('filter=nickName+ge+%22n200%22&sortBy=nickName&count=20');
is "@in_range", join(' ', (grep $nick{$_} ge 'n200', @by_nick)[0 .. 19]),
    'a range of the sorted attribute is in order';
like $range, qr/^User: index nickName in order; examined=20;/, 'a range of the sorted attribute is read in the order of the index';

# --- writes, a kill while it is built, and a drop

sub sound { my ($name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, @said) = $t->scimctl('verify'); return is $exit, 0, "scimctl verify finds no problem $name" || diag @said }
my $id = $c->request(GET => "$base?filter=userName+eq+%22u4%22")->{json}{Resources}[0]{id};
is $c->request(PATCH => "$base/$id", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'replace', path => 'title', value => 'Baron' }] })->{status}, 200, 'a title is changed';
is_list $c, "$base?filter=title+eq+%22baron%22", 1, 1, 'the index finds the new value';
is_list $c, "$base?filter=title+eq+%22t4%22", 49, 49, 'the index does not find the old value';
sound('with the indexes');
ok reloaded(''), 'scim_index is removed by a reload';
ok $t->wait_for(sub { !grep /nickName|title/, keys %{ indexes() } }), 'the indexes are dropped';
$c = $t->client(token => $token);
like +(list('filter=title+eq+%22baron%22'))[0], qr/^User: scan, 450 resources/, 'the filter examines all users again';
sound('without the indexes');

# Old workers write while newer ones build and drop, and workers are killed.
my $writers = $t->launch(3, 3, sub {
    my ($i, $client) = @_;
    my (%title, @wrong);
    for (my $n = 0; !-e "$t->{dir}/enough" && @wrong < 3; $n++) {
        my $name = "w$i-" . $n % 40;
        my $r = $client->request(POST => $base, json => Scim::user("$name-$n", title => "x$i-$n"));
        push @wrong, "$r->{status} $r->{body}" if $r->{status} !~ /^(?:0|201|503)$/;
        $title{"x$i-$n"} = "$name-$n" if $r->{status} == 201;
    }
    return { title => \%title, wrong => \@wrong };
}, token => $token);
for my $round (1 .. 4) {
    $t->conf(undef, http => "$store " . ($round % 2 ? 'scim_index User title displayName;' : 'scim_index User displayName;'), server => $server);
    $t->reload;
    $t->kill_worker(($t->workers)[0]);
}
reloaded('scim_index User title;');
ok $t->wait_for(sub { my $is = indexes(); ($is->{'User title'} // '') eq 'ready' && !$is->{'User displayName'} }),
    'after reloads and kills the index of the last configuration is ready, and the other is dropped';
$t->write_file('enough', '');
my (%title, @wrong);
for my $result ($t->collect($writers)) {
    %title = (%title, %{ $result->{title} // {} });
    push @wrong, @{ $result->{wrong} // [$result->{error}] };
}
is "@wrong", '', 'every write meanwhile is answered';
$c = $t->client(token => $token);
my @lost = grep { my @got = list("filter=title+eq+%22$_%22"); $got[0] !~ /index title eq/ || @got != 2 || $got[1] ne $title{$_} } keys %title;
is "@lost", '', 'the index finds every user that was created meanwhile (' . keys(%title) . ')';
sound('after kills and reloads');

$t->finish;
