#!/usr/bin/perl
# Lists are paged by cursor as RFC 9865 says: each cursor is valid on every worker, after a restart and in a restored backup,
# and a walk beside writers shows each user exactly once.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(dirname);
use Test::More;
use Scim;
use Scim::Check;

my $search_urn = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';
my $t = Scim->new(workers => 3, http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    location /scim/v2/ { scim main; add_header X-Pid $pid always; }
    location /small/ { scim main; scim_max_scan 50; scim_max_results 20; }
    location /short/ { scim main; scim_cursor_timeout 1s; }
    location /open/ { scim main; scim_auth off; scim_tenant acme; }
EOS
my $token = $t->seed('acme');
my $other = $t->token($t->tenant('other'));
$t->start->served('/scim/v2/Users', token => $token);
my $c = $t->client(token => $token);
my $base = '/scim/v2/Users';
my $count = 230;
my @made = $t->concurrently(4, $count, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => $base, token => $token, json => Scim::user(sprintf('user%03d', $i),
        $i % 3 ? (title => $i % 2 ? 'odd' : 'even') : (), emails => [{ value => $i < 120 ? 'team@x.com' : "$i\@x.com" }]));
    return { status => $r->{status}, id => $r->{json}{id} };
});
is scalar(grep $_->{status} == 201, @made), $count, "$count users are created";
my @ids = sort map $_->{id}, @made;

sub page { my ($query, $path) = @_; return $c->request(GET => ($path // $base) . "?$query") }
sub ids { return map $_->{id}, @{ $_[0]{json}{Resources} // [] } }

# The pages of a walk: [status and members of each response, ids of all].
sub walk {
    my ($query, %o) = @_;
    my ($next, @pages, @all) = ('');
    while (defined $next) {
        my $r = $o{send} ? $o{send}->($next) : page("$query&cursor=$next", $o{path});
        $r->{status} == 200 or diag($r->{body}), last;
        push @pages, $r->{json};
        push @all, ids($r);
        $next = $r->{json}{nextCursor};
        @pages < 1000 or last;
        $o{between}->(scalar @pages) if $o{between};
    }
    return (\@pages, \@all);
}

# --- pages

my ($pages, $all) = walk('count=50');
is_deeply $all, \@ids, '[S-173 S-179] a walk by cursor shows every user once, in the order of ids';
is_deeply [map $_->{itemsPerPage}, @$pages], [50, 50, 50, 50, 30], '[S-173 S-177] a walk by cursor has full pages, and then the rest';
is join(' ', sort keys %{ $pages->[0] }), 'Resources itemsPerPage nextCursor schemas totalResults',
    '[S-175] a page by cursor has nextCursor and no startIndex';
is join(' ', sort keys %{ $pages->[-1] }), 'Resources itemsPerPage schemas totalResults', '[S-175] the last page has no nextCursor';
is_deeply [map $_->{totalResults}, @$pages], [($count) x 5], 'every page without a filter has totalResults';
is scalar(grep $_->{nextCursor} !~ /\A[A-Za-z0-9_-]{1,1000}\z/, @$pages[0 .. 3]), 0,
    '[S-173] a cursor consists of unreserved characters';
is scalar(@{ (walk('count=46'))[0] }), 5, '[S-175] a walk whose last page is full ends with it';
is_deeply [ids(page("cursor&count=3"))], [@ids[0 .. 2]], '[S-174] "cursor" without "=" returns the first page by cursor';
is page('cursor=')->{json}{itemsPerPage}, 100, '[S-174] a page by cursor without count has 100 resources';
my $one = page('cursor=&count=1000');
is $one->{json}{itemsPerPage}, $count, 'all users fit one page';
ok !exists $one->{json}{nextCursor}, 'one page that has all users has no nextCursor';
my $zero = page('cursor=&count=0');
is "$zero->{json}{totalResults} $zero->{json}{itemsPerPage}", "$count 0", '[S-177] count=0 with a cursor returns totalResults only';
ok !exists $zero->{json}{nextCursor}, 'count=0 returns no nextCursor';
is page('cursor=&count=-1')->{json}{itemsPerPage}, 0, '[S-177] a negative count with a cursor is 0';
ok exists page('count=5')->{json}{startIndex}, '[S-180] a list without "cursor" is paged by startIndex';
ok !exists page('count=5')->{json}{nextCursor}, '[S-180] a list without "cursor" has no nextCursor';
is $c->request(GET => '/scim/v2/ServiceProviderConfig')->{json}{pagination}{defaultPaginationMethod}, 'index',
    '[S-180] ServiceProviderConfig announces that lists are paged by index by default';

my @team = grep { my $id = $_; grep $_->{id} eq $id, @made[0 .. 119] } @ids;
($pages, $all) = walk('count=50&filter=emails.value+eq+"team@x.com"');
is_deeply $all, \@team, 'a walk over an index shows every match once';
is $pages->[1]{totalResults}, 120, 'totalResults of a filter is shown if the index knows it';
my @odd = grep { my $id = $_; grep $_->{id} eq $id, @made[grep $_ % 2 && $_ % 3, 0 .. $count - 1] } @ids;
($pages, $all) = walk('count=30&filter=title+eq+"odd"');
is_deeply $all, \@odd, 'a walk over a filter without an index shows every match once';
ok !exists $pages->[0]{totalResults}, 'totalResults is omitted if all resources would have to be examined for it';
is page('cursor=&count=100&filter=title+eq+"odd"')->{json}{totalResults}, scalar @odd,
    'totalResults is shown if all matches are on the first page';
for my $order ('userName', 'userName&sortOrder=descending', 'title', 'title&sortOrder=descending', 'emails.value') {
    my @sorted = ids(page("count=1000&sortBy=$order"));
    ($pages, $all) = walk("count=40&sortBy=$order");
    is_deeply $all, \@sorted, "[S-179] a walk sorted by $order has the order of the whole list";
    is_deeply [map $_->{totalResults}, @$pages], [($count) x 6], "each page sorted by $order has totalResults";
}
($pages, $all) = walk('count=40', path => '/scim/v2/');
is_deeply $all, \@ids, 'a walk at the root shows the resources of all types';

# --- other ways to ask

my $search = sub {
    return $c->request(POST => "$base/.search",
        json => { schemas => [$search_urn], count => 50, filter => 'title pr', sortBy => 'title', cursor => $_[0] });
};
($pages, $all) = walk('', send => $search);
is_deeply $all, [ids(page('count=1000&filter=title+pr&sortBy=title'))], '[S-173] a walk by POST to .search shows every match once';
is_deeply [ids(page("count=50&filter=title+pr&sortBy=TITLE&attributes=id&cursor=$pages->[0]{nextCursor}"))], [@$all[50 .. 99]],
    'the cursor of a search is valid for the same query by GET, and for other attributes';
ok exists $c->request(POST => "$base/.search", json => { schemas => [$search_urn], cursor => undef })->{json}{startIndex},
    'a search whose cursor is null is paged by startIndex';
($pages, $all) = walk('count=100', path => '/open/Users');
is_deeply $all, \@ids, 'a walk without a token, in a location with scim_auth off, shows every user once';
is_deeply [ids(page("count=100&cursor=$pages->[0]{nextCursor}"))], [@ids[100 .. 199]],
    'a cursor is valid in each location of the store';

# --- a page ends at scim_max_scan

($pages, $all) = walk('filter=title+eq+"odd"', path => '/small/Users');
is_deeply $all, \@odd, 'a walk in a location whose scim_max_scan is less than the number of users shows every match once';
cmp_ok scalar(@$pages), '>=', $count / 50, 'a page ends when scim_max_scan users have been examined';
($pages, $all) = walk('filter=title+eq+"nobody"', path => '/small/Users');
is "@$all", '', 'a walk that finds nothing returns nothing';
is scalar(@$pages), 5, 'a walk that finds nothing has one empty page for each scim_max_scan users';
is_error page('filter=title+eq+"odd"', '/small/Users'), 400, 'tooMany', qr/scim_max_scan/,
    'the same filter paged by startIndex is refused with tooMany';
is_error page('cursor=&sortBy=title', '/small/Users'), 400, 'tooMany', qr/scim_max_scan/,
    'a sorted page by cursor beyond scim_max_scan is refused with tooMany';

# --- refusals

my $cursor = page('cursor=&count=10&filter=title+pr')->{json}{nextCursor};
my $same = 'count=10&filter=title+pr';
is_error page("$same&cursor=$_->[0]"), 400, 'invalidCursor', qr/the cursor is invalid: this server has not made it for this tenant/,
    "[S-178 S-182] $_->[1] is refused with invalidCursor"
    for ['x', 'a cursor of one character'], [substr($cursor, 1), 'a cursor that is cut'], [$cursor =~ tr/A-Za-z/a-zA-Z/r, 'a changed cursor'],
    ["$cursor%3D", 'a cursor with padding'], ['x' x 8000, 'a long cursor'];
is_error $t->client(token => $other)->request(GET => "$base?$same&cursor=$cursor"), 400, 'invalidCursor',
    qr/the cursor is invalid: this server has not made it for this tenant/, '[S-182] a cursor of another tenant is refused with invalidCursor';
is_error page("count=10&filter=title+eq+\"odd\"&cursor=$cursor"), 400, 'invalidCursor', qr/made for another query: its filter differs/,
    '[S-176] a cursor with another filter is refused with invalidCursor';
is_error page("$same&sortBy=title&cursor=$cursor"), 400, 'invalidCursor', qr/its sortBy or sortOrder differs/,
    '[S-176] a cursor with another order is refused with invalidCursor';
is_error page("$same&cursor=$cursor", '/scim/v2/'), 400, 'invalidCursor', qr/its endpoint differs/,
    '[S-176] a cursor at another endpoint is refused with invalidCursor';
is_error page("count=20&filter=title+pr&cursor=$cursor"), 400, 'invalidCount', qr/"count" is 20, but the cursor was made with 10/,
    '[S-176 S-178] a cursor with another count is refused with invalidCount';
is_error page("$same&startIndex=1&cursor="), 400, 'invalidValue', qr/"startIndex" and "cursor" exclude each other/,
    'startIndex and cursor in one request are refused with invalidValue';
is page("$same&cursor=$cursor")->{status}, 200, 'the cursor itself is valid';
my $walker = $t->client(token => $t->token('acme', label => 'walker'));
is $walker->request(GET => "$base?$same&cursor=$cursor")->{status}, 200, 'a cursor is valid with another token of the tenant';
is +($t->scimctl(qw(token revoke --tenant acme walker)))[0], 0, 'the token is revoked';
is $walker->request(GET => "$base?$same&cursor=$cursor")->{status}, 401, '[S-182] a page with a revoked token is refused with 401';
is $t->request(GET => "$base?$same&cursor=$cursor")->{status}, 401, '[S-182] a cursor does not replace the token';

my $short = page('cursor=&count=10', '/short/Users')->{json}{nextCursor};
my $expired;
ok $t->wait_for(sub { $expired = page("count=10&cursor=$short", '/short/Users'); $expired->{status} != 200 }, 20),
    'a cursor expires';
is_error $expired, 400, 'expiredCursor', qr/the cursor expired at .*, scim_cursor_timeout \(1 seconds\) after it was made/,
    '[S-178] a cursor is refused with expiredCursor after scim_cursor_timeout';
is $expired->{json}{errorId}, 'cursor-expired', 'the refusal is cursor-expired';
is page("count=10&cursor=$short")->{status}, 200, 'the same cursor is valid in a location with a longer scim_cursor_timeout';
is $c->request(GET => '/short/ServiceProviderConfig')->{json}{pagination}{cursorTimeout}, 1,
    'ServiceProviderConfig announces scim_cursor_timeout';

# --- every worker, a restart, a restored backup

my %worker;
$t->wait_for(sub {
    my $client = $t->client(token => $token);
    $worker{ $client->request(GET => "$base?count=0")->{headers}{'x-pid'} } //= $client;
    return keys %worker == 3;
}) or BAIL_OUT 'no connection to each of 3 workers';
my @clients = values %worker;
my $turn = 0;
($pages, $all) = walk('', send => sub { $clients[$turn++ % 3]->request(GET => "$base?count=20&cursor=$_[0]") });
is_deeply $all, \@ids, 'a walk over all workers in turn shows every user once';

my $writers = $t->launch(2, 300, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => $base, token => $token, json => Scim::user("more$i"));
    $client->request(DELETE => "$base/$r->{json}{id}", token => $token) if $i % 2;
    $client->request(PATCH => "$base/$ids[$i % $count]", token => $token, json =>
        { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [{ op => 'replace', path => 'displayName', value => "d$i" }] });
    return { status => $r->{status} };
});
my %known = map { $_ => 1 } @ids;
my @walks = map { [(walk($_))[1]] } 'count=3', 'count=7&sortBy=userName', 'count=7&filter=title+pr';
$t->collect($writers);
is_deeply [grep $known{$_}, @{ $walks[0][0] }], \@ids, 'a walk beside writers shows every user who existed throughout once';
is_deeply [sort grep $known{$_}, @{ $walks[1][0] }], \@ids, 'a sorted walk beside writers shows every user once';
is scalar(@{ $walks[2][0] }), scalar(ids(page('count=1000&filter=title+pr'))), 'a filtered walk beside writers shows every match once';

$cursor = page("cursor=&count=10&sortBy=userName")->{json}{nextCursor};
my $second = page("count=10&sortBy=userName&cursor=$cursor")->{json}{Resources};
$ENV{PATH} = dirname($ENV{TEST_SCIMCTL}) . ":$ENV{PATH}";
sub backup { return $t->run('', "$FindBin::Bin/../tools/scim-backup", @_, '--to', "$t->{dir}/backups", '--store', $t->{store}) }
my ($exit, $out, $err) = backup('create');
is $exit, 0, 'a backup is made' or diag $err;
ok $t->quit, 'nginx ends';
$t->start->served($base, token => $token);
$c = $t->client(token => $token);
is_deeply page("count=10&sortBy=userName&cursor=$cursor")->{json}{Resources}, $second, 'a cursor is valid after a restart';
ok $t->quit, 'nginx ends again';
($exit, $out, $err) = backup('restore');
is $exit, 0, 'the backup is restored' or diag $err;
$t->start->served($base, token => $token);
$c = $t->client(token => $token);
is_deeply page("count=10&sortBy=userName&cursor=$cursor")->{json}{Resources}, $second, 'a cursor is valid in a restored backup';

$t->finish;
